"""Whatever the policies and the traffic: ids admit nobody, and keep nobody out who taught them."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from broker.core.conditions import AnyOf, Condition, Equals, Glob, Not
from broker.core.decision import DecisionRequest, Permit, decide
from broker.core.indexed_policies import IndexedPolicies
from broker.core.pinning.proposals import PinReport
from broker.core.pinning.targets import ISSUERS
from broker.core.policy import PolicySet
from tests.core.builders import (
    NOW,
    a_deny_policy,
    a_policy,
    a_policy_set,
    an_account,
    an_issuer,
    github_claims,
    some_conditions,
)
from tests.core.pinning.learning import learned
from tests.core.simulation.recording import recorded

ACCOUNTS = ("deploy-web", "other")
names = st.sampled_from(["acme/web", "Acme/Web", "acme/api", "acme/site"])
matches = st.fixed_dictionaries(
    {},
    optional={
        "repository": st.one_of(
            names, st.lists(names, min_size=1, max_size=3), st.just(Glob("acme/*"))
        ),
        "repository_owner": st.sampled_from(["acme", "beta", Not(Equals("beta"))]),
        "repository_id": st.sampled_from(["1", Not(Equals("3"))]),
        "ref": st.sampled_from(["refs/heads/main", Glob("refs/heads/*")]),
    },
).filter(bool)
policies = st.lists(st.tuples(matches, st.sampled_from(ACCOUNTS)), min_size=1, max_size=3)
requires = st.sampled_from([{}, {}, {"repository_owner": "acme"}])
denies = st.sampled_from([None, None, {"repository_id": "3"}])
tokens = st.fixed_dictionaries(
    {
        "repository": names,
        "repository_id": st.sampled_from(["1", "1", "1", "2", "3", "x", ...]),
        "repository_owner": st.sampled_from(["acme", "acme", "beta"]),
        "repository_owner_id": st.sampled_from(["10", "10", "10", "11"]),
        "ref": st.sampled_from(["refs/heads/main", "refs/heads/x"]),
    }
)


@st.composite
def policy_sets(draw: st.DrawFn) -> PolicySet:
    drawn = draw(policies)
    made = [
        a_policy(f"p{number}", match, service_account=account)
        for number, (match, account) in enumerate(drawn)
    ]
    deny = draw(denies)
    if deny:
        made.append(a_deny_policy("no", deny))
    require = some_conditions(draw(requires))
    return a_policy_set(
        *made,
        issuers=[an_issuer(require=require)],
        accounts=[an_account(each) for each in ACCOUNTS],
    )


def pinned(policy_set: PolicySet, report: PinReport) -> PolicySet:
    """Give a set with all that a report proposes."""
    issuers, changed = dict(policy_set.issuers), dict(policy_set.policies)
    for found in report.proposals:
        more = tuple(
            Condition(each.named.id_claim, AnyOf(tuple(map(Equals, each.ids))))
            for each in found.proposed
        )
        name = found.target.name
        if found.target.section == ISSUERS:
            issuers[name] = replace(issuers[name], require=(*issuers[name].require, *more))
        else:
            changed[name] = replace(changed[name], conditions=(*changed[name].conditions, *more))
    return replace(policy_set, issuers=issuers, policies=changed)


def token(claims: dict[str, Any]) -> dict[str, Any]:
    return github_claims(**claims)


@given(policy_sets(), st.lists(tokens, max_size=6), tokens)
def test_a_pinned_set_never_holds_for_more(
    before: PolicySet, taught: list[dict[str, Any]], other: dict[str, Any]
) -> None:
    after = pinned(before, learned(before, *(recorded(before, **each) for each in taught)))

    for account in ACCOUNTS:
        request = DecisionRequest(("deploy-api",), None, account)
        for claims in (token(other), *map(token, taught)):
            was = decide(claims, before.issuers["github"], request, IndexedPolicies.of(before), NOW)
            now = decide(claims, after.issuers["github"], request, IndexedPolicies.of(after), NOW)
            if isinstance(now, Permit):
                assert isinstance(was, Permit)
                assert set(now.policies) <= set(was.policies)
                assert set(now.scopes) <= set(was.scopes)


@given(policy_sets(), st.lists(tokens, max_size=6))
def test_whoever_taught_an_id_is_permitted_as_before(
    before: PolicySet, taught: list[dict[str, Any]]
) -> None:
    events = [recorded(before, **each) for each in taught]
    report = learned(before, *events)
    after = pinned(before, report)
    indexed = IndexedPolicies.of(after)

    for claims, event in zip(taught, events, strict=True):
        if event["outcome"] != "success":
            continue
        decision = decide(
            token(claims), after.issuers["github"], DecisionRequest(("deploy-api",)), indexed, NOW
        )
        assert isinstance(decision, Permit)
        assert list(decision.policies) == event["policies"]


@given(policy_sets(), st.lists(tokens, max_size=6))
def test_the_order_of_events_makes_no_difference(
    named: PolicySet, taught: list[dict[str, Any]]
) -> None:
    events = [recorded(named, at=NOW + at, **each) for at, each in enumerate(taught)]

    assert (
        learned(named, *events).as_json()["entries"]
        == (learned(named, *events[::-1]).as_json()["entries"])
    )
