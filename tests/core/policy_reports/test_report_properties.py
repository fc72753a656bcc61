"""Whatever was decided: what the reports propose, and what they count, holds for all of it."""

from dataclasses import replace
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.conditions import Equals, Glob, Not, Present
from broker.core.decision import DecisionRequest
from broker.core.policy import Policy, PolicySet
from broker.core.simulation.outcome import Kind
from tests.core.builders import (
    NOW,
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    some_grants,
)
from tests.core.policy_reports.reporting_of import DAY, condition_of, reported
from tests.core.simulation.recording import recorded, simulated

tenants = st.sampled_from([
    {"repository": "acme/web"}, {"repository": ["acme/web", "Acme/API"]},
    {"repository": Glob("acme/*")}, {"repository_owner": "acme"}, {"repository_id": ["1", "2"]},
    {"sub": "repo:acme/web:ref:refs/heads/main"}, {"sub": Glob("repo:acme/*:**"),
    "repository_owner": "acme"},
])  # fmt: skip
others = st.sampled_from([
    {}, {}, {"ref": "refs/heads/main"}, {"ref": ["refs/heads/main", Glob("refs/heads/release/*")]},
    {"ref": Glob("refs/heads/**")}, {"environment": ["prod", "test"]}, {"environment": Present()},
    {"environment": Not(Equals("test"))}, {"event_name": ["push", "pull_request"]},
    {"team": ["a", "b", Glob("c*")]}, {"team": Not(Equals("b"))},
])  # fmt: skip
matches = st.builds(
    lambda *parts: {k: v for part in parts for k, v in part.items()}, tenants, others, others
)
allows = st.builds(
    lambda match, account, grants, **more: a_policy(
        "", match, service_account=account, grants=grants, **more
    ),
    matches,
    st.sampled_from(["deploy-web", "deploy-web", "deploy-web", "second"]),
    st.sampled_from([None, {"deploy-api": ["deploy:read"]}, {"other": ["deploy:read"]}]),
    ttl=st.sampled_from([None, None, 60]),
    expires_at=st.sampled_from([None, None, None, NOW - 50.0, float(NOW + DAY)]),
)
denies = st.builds(
    lambda match, **more: a_deny_policy("", match, **more),
    matches,
    expires_at=st.sampled_from([None, float(NOW + DAY)]),
)
requests = st.builds(
    DecisionRequest,
    st.sampled_from([("deploy-api",), ("deploy-api",), ("other",), ()]),
    st.sampled_from([None, ("deploy:read",), ("deploy:write",)]),
)
jobs: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({
    "repository": st.sampled_from(["acme/web", "ACME/Web", "acme/api", "else/x"]),
    "repository_id": st.sampled_from(["1", "2", "3"]),
    "ref": st.sampled_from(["refs/heads/main", "refs/heads/release/1", "refs/pull/7/merge"]),
    "environment": st.sampled_from([..., "prod", "Prod", "test"]),
    "event_name": st.sampled_from(["push", "schedule", "pull_request"]),
    "team": st.sampled_from(["a", "b", "cc", ["a", "b"], ["b", "x"], 1, ""]),
})  # fmt: skip


@st.composite
def months(draw: st.DrawFn) -> tuple[PolicySet, list[dict[str, Any]]]:
    """Policies, and what was decided by them; the record holds all that they look at."""
    policies = [
        *draw(st.lists(allows, min_size=1, max_size=4)),
        *draw(st.lists(denies, max_size=1)),
    ]
    files = a_policy_set(
        *(replace(each, name=f"p-{number}") for number, each in enumerate(policies)),
        # One that names the team, so that it is on record.
        a_deny_policy("nobody", {"team": "nobody"}),
        services=[a_service(), replace(a_service("other"), audience="https://other.example")],
        accounts=[
            an_account(grants={"deploy-api": ["deploy:read", "deploy:write"], "other": []}),
            an_account("second", {"deploy-api": ["deploy:read"], "other": ["deploy:read"]}),
        ],
    )
    drawn = draw(st.lists(st.tuples(jobs, requests), min_size=1, max_size=8))
    times = [NOW - 100, NOW]
    events = [
        recorded(
            files,
            request,
            at=draw(st.sampled_from(times)),
            sub=f"repo:{job['repository']}:ref:{job['ref']}",
            **job,
        )
        for job, request in drawn
    ]
    return files, events


def with_policies(files: PolicySet, *policies: Policy) -> PolicySet:
    found = {each.name: each for each in policies}
    return replace(files, policies={**files.policies, **found}, version="2" * 64)


def without(files: PolicySet, *names: str) -> PolicySet:
    left = {name: each for name, each in files.policies.items() if name not in names}
    return replace(files, policies=left, version="2" * 64)


@settings(max_examples=120)
@given(months())
def test_what_is_narrowed_holds_for_every_run_that_was_seen(
    month: tuple[PolicySet, list[dict[str, Any]]],
) -> None:
    files, events = month
    found = reported(files, *events).over_broad
    assert found is not None
    narrowed = dict(files.policies)
    for each in found.found:
        policy = narrowed[each.policy]
        if each.claim is None:
            grants = some_grants(yaml.safe_load(each.line)["grants"])
            narrowed[policy.name] = replace(policy, grants=grants)
            continue
        folded = each.claim in ("repository", "environment")
        condition = condition_of(each.line, folded=folded)
        rest = (other for other in policy.conditions if other.claim != each.claim)
        narrowed[policy.name] = replace(policy, conditions=(*rest, condition))
    counts = simulated(with_policies(files, *narrowed.values()), *events).counts

    assert counts[Kind.NEWLY_DENIED] == counts[Kind.CHANGED] == counts[Kind.UNDECIDABLE] == 0


@settings(max_examples=120)
@given(months())
def test_what_is_unused_can_go(month: tuple[PolicySet, list[dict[str, Any]]]) -> None:
    files, events = month
    found = reported(files, *events).unused
    assert found is not None
    # What stood in the way of a token is named in a refusal, and told.
    names = [each.policy.name for each in found.policies if not each.refused]
    counts = simulated(without(files, *names), *events).counts

    assert found.newer == ()
    assert counts[Kind.UNCHANGED] == len(events)


@settings(max_examples=120)
@given(months())
def test_what_depends_on_one_that_ends_is_what_a_simulation_without_it_finds(
    month: tuple[PolicySet, list[dict[str, Any]]],
) -> None:
    files, events = month
    found = reported(files, *events).expiring
    assert found is not None
    together = found.together
    assert together is not None
    for names, depending in (
        *(((each.policy.name,), each.depending) for each in found.policies),
        ([each.policy.name for each in found.policies], together),
    ):
        assert depending is not None
        counts = simulated(without(files, *names), *events).counts
        for kind in (Kind.NEWLY_DENIED, Kind.NEWLY_PERMITTED, Kind.CHANGED):
            assert depending.kinds[kind].runs == counts[kind]


@settings(max_examples=120)
@given(months())
def test_what_is_shadowed_can_go(month: tuple[PolicySet, list[dict[str, Any]]]) -> None:
    files, events = month
    found = reported(files, *events).shadowed
    assert found is not None
    for each in found.by_record or ():
        counts = simulated(without(files, each.policy), *events).counts
        assert counts[Kind.NEWLY_DENIED] == counts[Kind.CHANGED] == 0


@settings(max_examples=80)
@given(months())
def test_a_line_for_both_forms_of_sub_changes_nothing_in_either(
    month: tuple[PolicySet, list[dict[str, Any]]],
) -> None:
    files, events = month
    found = reported(files, *events).sub_form
    assert found is not None
    widened = {}
    for each in found.policies:
        if each.line is not None:
            policy = files.policies[each.policy]
            rest = (other for other in policy.conditions if other.claim != "sub")
            condition = condition_of(each.line, folded=False)
            widened[policy.name] = replace(policy, conditions=(*rest, condition))
    after = with_policies(files, *widened.values())
    again = reported(after, *events).sub_form
    assert again is not None

    assert simulated(after, *events).counts[Kind.UNCHANGED] == len(events)
    assert not any(each.breaking for each in again.policies if each.policy in widened)
