"""Whatever two sets say: what a simulation tells of a job is what both sets really make of it."""

from dataclasses import replace
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.claim_templates import parse_template
from broker.core.conditions import Condition, Equals, Glob, Not, Present
from broker.core.decision import DecisionRequest, Deny, Permit, decide
from broker.core.errors import Reason, Refusal
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Issuer, Mode, PolicySet, Replay
from broker.core.simulation.outcome import Kind, Outcome, differences, kind_of
from broker.core.simulation.simulation import Simulation
from broker.grants import decision_record
from broker.grants.request import Caller, ExchangeRequest
from tests.core.builders import (
    BROKER,
    NOW,
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    an_issuer,
    github_claims,
    gitlab_claims,
)

OWN_URL: Final = "https://ci.corp.example"
ELSEWHERE: Final = "https://elsewhere.example"

issuers_of_github = st.builds(
    lambda **changes: an_issuer("github", **changes),
    audiences=st.sampled_from([frozenset({BROKER}), frozenset({BROKER, ELSEWHERE})]),
    max_token_lifetime=st.sampled_from([600, 600, 250]),
    replay=st.sampled_from([Replay.SINGLE_USE, Replay.REUSABLE]),
    enabled=st.sampled_from([*[True] * 7, False]),
    require=st.sampled_from([(), (), (), (), (Condition("tier", Equals("gold")),)]),
)
issuers_of_ci = st.builds(
    lambda name, **changes: replace(an_issuer(name), name="ci", url=OWN_URL, **changes),
    st.sampled_from(["gitlab", "plain"]),
    require=st.sampled_from([(), (), (), (Condition("environment", Not(Equals("prod"))),)]),
)
unusual = st.sampled_from([
    {}, {}, {"team": "a"}, {"team": ["a", "b"]}, {"team": Not(Equals("b"))}, {"team": Present()},
    {"team": Glob("a*")}, {"tier": "gold"}, {"tier": "1"}, {"tier": "true", "team": "a"},
    {"environment": "prod"}, {"environment": Not(Equals("prod"))}, {"environment": Present()},
    {"event_name": "pull_request"}, {"pipeline_source": ["push", "merge_request_event"]},
])  # fmt: skip
tenants = st.sampled_from([
    ("github", {"repository": "acme/web"}),
    ("github", {"repository": Glob("acme/*")}),
    ("github", {"repository": ["acme/api", "acme/web"]}),
    ("ci", {"project_path": "acme/platform/web"}),
    ("ci", {"project_path": Glob("acme/**")}),
])  # fmt: skip
matches = st.builds(lambda of, more: (of[0], {**of[1], **more}), tenants, unusual)
allows = st.builds(
    lambda of, account, grants, **more: a_policy(
        "",
        of[1],
        issuer=of[0],
        service_account=account,
        grants=grants and {"deploy-api": grants},
        **more,
    ),
    matches,
    st.sampled_from([*["deploy-web"] * 6, "per-team", "per-team", "off", "made"]),
    st.sampled_from([None, ["deploy:read"], ["deploy:write"]]),
    ttl=st.sampled_from([None, 60]),
    max_ttl=st.sampled_from([None, 400]),
    mode=st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.OBSERVE]),
    expires_at=st.sampled_from([None, None, NOW + 50.0]),
)
denies = st.builds(
    lambda of, services: a_deny_policy("", of[1], issuer=of[0], services=services),
    matches,
    st.sampled_from([None, frozenset({"other"})]),
)
services = st.builds(
    lambda require, claims: a_service(require=require, claims=claims),
    st.sampled_from([(), (), (), (), (Condition("team", Equals("a")),)]),
    st.sampled_from([{}, {}, {}, {}, {"group": parse_template("{workload.tier}")}]),
)


@st.composite
def policy_sets(draw: st.DrawFn, version: str = "2") -> PolicySet:
    policies = [
        *draw(st.lists(allows, min_size=2, max_size=4)),
        *draw(st.lists(denies, max_size=1)),
    ]
    instances = draw(st.sampled_from([("team",), ("environment",)]))
    found = a_policy_set(
        *(replace(each, name=f"p-{number}") for number, each in enumerate(policies)),
        issuers=[draw(issuers_of_github), draw(issuers_of_ci)],
        services=[draw(services), replace(a_service("other"), audience="https://other.example")],
        accounts=[
            an_account(),
            an_account("per-team", instances=instances),
            an_account("off", enabled=False),
        ],
    )
    return replace(found, version=version * 64)


teams = st.sampled_from([..., "a", "a", "b", ["b", "a"], [], 1, "", "x" * 2000])
tiers = st.sampled_from([..., "gold", 1, "1", True, "true", 1.0])
environments = st.sampled_from([..., "prod", "Prod", "test"])
audiences = st.sampled_from([BROKER, BROKER, BROKER, [BROKER], ELSEWHERE, [BROKER, ELSEWHERE]])
tokens_of_github = st.builds(
    github_claims,
    repository=st.sampled_from(["acme/web", "acme/web", "Acme/Web", "acme/api", "else/web"]),
    team=teams,
    tier=tiers,
    environment=environments,
    aud=audiences,
    event_name=st.sampled_from(["push", "push", "pull_request", "issues", ...]),
)
tokens_of_ci = st.builds(
    gitlab_claims,
    iss=st.just(OWN_URL),
    exp=st.sampled_from([NOW + 100, NOW + 290, NOW + 350, NOW + 3000]),
    team=teams,
    tier=tiers,
    environment=environments,
    aud=audiences,
    pipeline_source=st.sampled_from(["push", "push", "merge_request_event", "web", ...]),
)
requests = st.builds(
    DecisionRequest,
    st.sampled_from([(), ("deploy-api",), ("https://deploy-api.example", "deploy-api")]),
    st.sampled_from([None, None, None, None, ("deploy:read",), ("deploy:write",)]),
    st.sampled_from([None, None, None, None, "deploy-web", "per-team"]),
    st.sampled_from([None, 30, 100_000]),
)
asked = st.tuples(tokens_of_github | tokens_of_ci, requests, st.sampled_from([NOW, NOW + 50.5]))


def refused_before(issuer: Issuer, token: dict[str, Any]) -> Reason | None:
    """Say why a token of this issuer is refused before its policies are asked."""
    if not issuer.enabled:
        return Reason.ISSUER_DISABLED
    if token["exp"] - token["iat"] > issuer.max_token_lifetime:
        return Reason.TOKEN_LIFETIME_TOO_LONG
    audience = token["aud"]
    sole = audience[0] if isinstance(audience, list) and len(audience) == 1 else audience
    if not isinstance(sole, str) or sole not in issuer.audiences:
        return Reason.AUDIENCE_MISMATCH
    return None


def outcome(policy_set: PolicySet, token: Any, request: DecisionRequest, at: float) -> Outcome:
    issuer = policy_set.issuer_by_url(token["iss"])
    assert issuer is not None
    refused = refused_before(issuer, token)
    if refused is not None:
        return Outcome(refused)
    return Outcome.of(decide(token, issuer, request, IndexedPolicies.of(policy_set), at))


def event(policy_set: PolicySet, token: Any, request: DecisionRequest, at: float) -> Any:
    """Record as the broker does; None for what it only counts."""
    policies, issuer = IndexedPolicies.of(policy_set), policy_set.issuer_by_url(token["iss"])
    assert issuer is not None
    refused = refused_before(issuer, token)
    if refused is Reason.ISSUER_DISABLED:
        return None
    exchange = ExchangeRequest("", request, Caller("request"))
    begun = decision_record.begun("decision", exchange, policies, issuer, token, at)
    if refused is not None:
        return decision_record.refused(begun, Refusal(refused, "x"), 0).members()
    decision = decide(token, issuer, request, policies, at)
    if isinstance(decision, Deny):
        return decision_record.denied(begun, decision, 0).members()
    assert isinstance(decision, Permit)
    return decision_record.granted(begun, decision, "token", 0).members()


@settings(max_examples=100)
@given(
    before=policy_sets("1"),
    after=policy_sets("2"),
    jobs=st.lists(asked, min_size=1, max_size=8),
    with_base=st.booleans(),
)
def test_what_is_told_of_a_job_is_what_both_sets_make_of_it(
    before: PolicySet,
    after: PolicySet,
    jobs: list[tuple[Any, DecisionRequest, float]],
    with_base: bool,
) -> None:
    base = IndexedPolicies.of(before) if with_base else None
    simulation = Simulation(IndexedPolicies.of(after), base=base, remembered=3)
    counts = simulation.report().counts
    for token, request, at in [*jobs, *jobs]:
        recorded = event(before, token, request, at)
        if recorded is None:
            continue
        was, would_be = (outcome(each, token, request, at) for each in (before, after))
        simulation.take(recorded)
        told = simulation.report().counts
        found = [kind for kind in Kind if told[kind] > counts[kind]]
        counts = told
        true = kind_of(was, would_be, differences(was, would_be))
        if not found:
            # It was passed over: nothing changes for it.
            assert true is Kind.UNCHANGED
        elif found != [Kind.UNDECIDABLE]:
            assert found == [true]
