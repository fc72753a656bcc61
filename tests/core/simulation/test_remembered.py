"""What is remembered of decisions changes none: each is that of the decision itself."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.conditions import Equals, Glob, Not, Present
from broker.core.decision import DecisionRequest, decide
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Mode, PolicySet
from broker.core.simulation.outcome import Outcome
from broker.core.simulation.past_decision import PastDecision, past_decision
from broker.core.simulation.redecision import Redecision
from tests.core.builders import (
    NOW,
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    an_issuer,
)
from tests.core.simulation.recording import kinds, recorded, simulated, then

REPOSITORIES = ("acme/web", "acme/api")
REFS = ("refs/heads/main", "refs/heads/x")
ACCOUNTS = [
    an_account(),
    an_account("per-repo", instances=("repository_id",)),
    an_account("off", enabled=False),
]
PLAIN = a_policy_set(issuers=[an_issuer("github"), an_issuer("gitlab")], accounts=ACCOUNTS)

matches = st.fixed_dictionaries(
    {"repository": st.sampled_from([*REPOSITORIES, [*REPOSITORIES], Glob("acme/*")])},
    optional={
        "ref": st.sampled_from([REFS[0], Glob("refs/heads/*"), Not(Equals("refs/heads/x"))]),
        "environment": st.sampled_from(["production", Present(), Not(Equals("production"))]),
        "event_name": st.sampled_from(["push", "pull_request", ["push", "pull_request"]]),
        "run_attempt": st.sampled_from(["1", "2"]),
    },
)
allows = st.builds(
    lambda match, account, ttl, mode, expires: a_policy(
        "", match, service_account=account, ttl=ttl, mode=mode, expires_at=expires
    ),
    matches,
    st.sampled_from(["deploy-web", "per-repo", "off"]),
    st.sampled_from([None, 60, 900]),
    st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.OBSERVE]),
    st.sampled_from([None, None, NOW + 50.0]),
)
denies = st.builds(lambda match: a_deny_policy("", match), matches)
policy_sets = st.lists(allows | denies, max_size=4).map(
    lambda policies: replace(
        PLAIN,
        policies={f"p-{n}": replace(each, name=f"p-{n}") for n, each in enumerate(policies)},
        version="2" * 64,
    )
)
jobs = st.fixed_dictionaries(
    {
        "repository": st.sampled_from(REPOSITORIES),
        "ref": st.sampled_from(REFS),
        "event_name": st.sampled_from(["push", "pull_request"]),
        "repository_id": st.sampled_from(["1", "2"]),
    },
    optional={
        "environment": st.sampled_from(["production", "staging"]),
        "run_attempt": st.sampled_from(["1", 1, 2]),
    },
)
requests = st.builds(
    DecisionRequest,
    st.sampled_from([(), ("deploy-api",), ("https://deploy-api.example",), ("none",)]),
    st.sampled_from([None, ("deploy:read",), ("deploy:write", "other")]),
    st.sampled_from([None, "deploy-web"]),
    st.sampled_from([None, 30, 100_000]),
)
instants = st.sampled_from([NOW, NOW + 49.0, NOW + 50.0])
RECORDED_BY = then(issuers=[an_issuer("github"), an_issuer("gitlab")])
Asked = tuple[dict[str, Any], DecisionRequest, float]


def past(job: dict[str, Any], request: DecisionRequest, at: float) -> PastDecision:
    found = past_decision(recorded(RECORDED_BY, request, at=at, **job))
    assert isinstance(found, PastDecision)
    return found


@settings(max_examples=60)
@given(
    policy_set=policy_sets,
    asked=st.lists(st.tuples(jobs, requests, instants), min_size=1, max_size=12),
    remembered=st.sampled_from([1, 3, 1000]),
)
def test_a_remembered_decision_is_that_of_the_decision_itself(
    policy_set: PolicySet, asked: list[Asked], remembered: int
) -> None:
    policies = IndexedPolicies.of(policy_set)
    redecision = Redecision(policies, remembered=remembered)
    for job, request, at in [*asked, *reversed(asked)]:
        decided = past(job, request, at)
        assert decided.claims is not None
        issuer = policy_set.issuers["github"]

        itself = Outcome.of(decide(decided.claims, issuer, request, policies, at))

        assert redecision.decide(decided) == itself


@given(
    life=st.integers(min_value=1, max_value=5000),
    fraction=st.sampled_from([0.0, 0.0004, 0.0009, 0.25, 0.9996]),
    ttl=st.sampled_from([None, 300, 301, 2000]),
)
def test_a_life_that_the_token_cuts_is_the_same_whenever_it_is_computed(
    life: int, fraction: float, ttl: int | None
) -> None:
    policy = a_policy("p", {"project_path": "acme/platform/web"}, issuer="gitlab", ttl=ttl)
    before = then(policy, services=[a_service(max_ttl=3600)])
    at = NOW + fraction
    events = [
        recorded(before, issuer="gitlab", at=at, exp=NOW + life + extra) for extra in (0, 1, 0)
    ]

    # Another version: the very set that decided would have the benefit of the doubt.
    report = simulated(replace(before, version="2" * 64), *events)

    assert kinds(report) == {"unchanged": 3}
