"""Explanation and decision can never differ, and a caller learns of nothing but its own."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.conditions import Condition, Effect, Equals
from broker.core.decision import DecisionRequest, Deny, Permit, decide
from broker.core.explain import Explanation, explain, failing_conditions_for_caller, for_caller
from broker.core.explanation_text import render
from broker.core.holding import guard_holds, policy_holds, visible_to_caller
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Mode, Policy, PolicySet, Service
from tests.core.builders import (
    NOW,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    an_issuer,
    github_claims,
    gitlab_claims,
)
from tests.core.explain_cases import excluding, glob, present, regex, requiring
from tests.core.shaped_services import a_shaped_service

VALUES: dict[str, dict[str, list[Any]]] = {
    "github": {
        "repository": ["acme/web", "Acme/Web", "acme/site"],
        "repository_id": ["456789", "1"],
        "repository_owner_id": ["123456", "2"],
        "ref": ["refs/heads/main", "refs/heads/dev", "main"],
        "event_name": ["push", "pull_request"],
        "environment": ["production", "Production:V1", ""],
        "actor": ["octocat"],
        "sub": [
            "repo:acme/web:ref:refs/heads/main",
            "repo:acme@123456/web@456789:ref:refs/heads/main",
            "repo:acme/web:environment:production",
            "repo:acme/site:ref:refs/heads/main",
        ],
    },
    "gitlab": {
        "project_id": ["4242", "901"],
        "job_project_id": ["4242"],
        "project_path": ["acme/platform/web", "mallory/web"],
        "ref": ["main", "refs/heads/main"],
        "ref_protected": [True, "false"],
        "pipeline_source": ["push", "merge_request_event"],
        "user_email": ["somebody@example.com"],
    },
}
SERVICES = ["deploy-api", "vault", "https://vault.example", "unknown"]
STATED: list[dict[str, list[str]] | None] = [
    None,
    {"deploy-api": ["deploy:read"]},
    {"vault": ["vault:read"]},
    {"deploy-api": [], "vault": []},
]
ACCOUNTS = ["deploy-web", "other", "repo-ci", "gone"]


@st.composite
def matchers(draw: st.DrawFn, values: list[Any]) -> Any:
    named = st.sampled_from(values).filter(lambda value: value != "")
    single = named | named.map(lambda value: glob(str(value)[:6] + "*")) | st.just(regex("[a-z/]+"))
    several = st.lists(single, min_size=1, max_size=3)
    return draw(single | several | single.map(excluding) | st.just(present()))


@st.composite
def policies(draw: st.DrawFn, name: str) -> Policy:
    issuer = draw(st.sampled_from(["github", "gitlab"]))
    values = VALUES[issuer]
    claims = draw(st.lists(st.sampled_from(sorted(values)), min_size=1, max_size=4, unique=True))
    match = {claim: draw(matchers(values[claim])) for claim in claims}
    expires = draw(st.sampled_from([None, None, float(NOW - 1), float(NOW + 1)]))
    mode = draw(st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.OBSERVE]))
    if draw(st.integers(0, 4)) == 0:
        services = draw(st.sampled_from([None, frozenset({"vault"})]))
        more: dict[str, Any] = {
            "effect": Effect.DENY,
            "services": services,
            "service_account": None,
        }
    else:
        grants = draw(st.sampled_from(STATED))
        more = {"service_account": draw(st.sampled_from(ACCOUNTS)), "grants": grants}
    return a_policy(name, match, issuer=issuer, expires_at=expires, mode=mode, **more)


def unfolded(**match: str) -> tuple[Condition, ...]:
    """The conditions of a service's `require`: which of them fold depends on the token."""
    return tuple(Condition(claim, Equals(text)) for claim, text in match.items())


def _vault(*, shaped: bool) -> Service:
    claims = {"groups": ["{metadata.team}", "{workload.environment}", "{workload.repository_id}"]}
    return a_shaped_service(claims if shaped else None, name="vault", scopes={"vault:read": ""})


@st.composite
def policy_sets(draw: st.DrawFn) -> PolicySet:
    count = draw(st.integers(0, 6))
    require = draw(st.sampled_from([(), (), requiring(repository_owner_id="123456")]))
    of_service = [requiring(ref=glob("refs/heads/m*")), unfolded(environment="PRODUCTION")]
    strict = draw(st.sampled_from([(), (), *of_service]))
    return a_policy_set(
        *(draw(policies(f"p{number}")) for number in range(count)),
        issuers=[an_issuer("github", require=require), an_issuer("gitlab")],
        services=[a_service(require=strict), _vault(shaped=draw(st.booleans()))],
        accounts=[
            an_account(),
            an_account(
                "other",
                {"deploy-api": ["deploy:read"], "vault": ["vault:read"]},
                metadata=draw(st.sampled_from([{}, {"team": "web"}, {"team": "w:b"}])),
            ),
            an_account("repo-ci", {"vault": []}, enabled=draw(st.booleans())),
            an_account("repo-ci", instances=("environment",)),
        ][: draw(st.integers(1, 4))],
    )


@st.composite
def tokens(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    issuer = draw(st.sampled_from(["github", "gitlab"]))
    changes = {
        claim: draw(st.sampled_from([*values, ..., ["a", *values], 1.5]))
        for claim, values in VALUES[issuer].items()
        if draw(st.booleans())
    }
    return issuer, github_claims(**changes) if issuer == "github" else gitlab_claims(**changes)


requests = st.builds(
    DecisionRequest,
    targets=st.lists(st.sampled_from(SERVICES), max_size=2).map(tuple),
    scopes=st.sampled_from([None, ("deploy:read",), ("vault:read",), ("deploy:write", "x")]),
    client_id=st.sampled_from([None, None, *ACCOUNTS]),
    expires_in=st.sampled_from([None, 60]),
)


def explanation_of(
    policy_set: PolicySet, token: tuple[str, dict[str, Any]], request: DecisionRequest, **more: bool
) -> Explanation:
    issuer, claims = token
    indexed = IndexedPolicies.of(policy_set)
    return explain(claims, policy_set.issuers[issuer], request, indexed, NOW, **more)


@settings(max_examples=200, deadline=None)
@given(policy_sets(), tokens(), requests)
def test_explanation_and_decision_agree(
    policy_set: PolicySet, token: tuple[str, dict[str, Any]], request: DecisionRequest
) -> None:
    issuer, claims = policy_set.issuers[token[0]], token[1]
    decision = decide(claims, issuer, request, IndexedPolicies.of(policy_set), NOW)

    explanation = explanation_of(policy_set, token, request)

    if isinstance(decision, Permit):
        assert (explanation.decision, explanation.reason) == ("permit", None)
        assert explanation.service_account == decision.service_account.client_id
        assert explanation.audience == decision.service.audience
        assert (explanation.sub, explanation.ttl) == (decision.sub, decision.ttl)
        assert explanation.scopes == decision.scopes
        assert explanation.fix is None
    else:
        assert (explanation.decision, explanation.reason) == ("deny", decision.reason)
        assert for_caller(explanation).reason == decision.public_reason
    shown = [candidate.policy.name for candidate in explanation.candidates]
    assert set(decision.policies) <= set(shown)
    if isinstance(decision, Permit):
        decisive = [
            each for each in explanation.candidates if each.policy.name in decision.policies
        ]
        assert all(result.holds for each in decisive for result in each.conditions)


@settings(max_examples=100, deadline=None)
@given(policy_sets(), tokens(), requests)
def test_a_candidate_holds_exactly_when_its_policy_does(
    policy_set: PolicySet, token: tuple[str, dict[str, Any]], request: DecisionRequest
) -> None:
    issuer, claims = policy_set.issuers[token[0]], token[1]

    for candidate in explanation_of(policy_set, token, request, everything=True).ranking:
        policy = candidate.policy
        own = candidate.conditions[: len(policy.conditions)]

        assert candidate.holds == policy_holds(policy, issuer, claims, NOW)
        assert [result.holds for result in own] == [
            condition.holds(claims, policy.effect) for condition in policy.conditions
        ]
        guards = [each.holds for each in candidate.conditions if each.operator == "guard"]
        assert guards == ([guard_holds(policy, issuer, claims)] if candidate.allows else [])
        assert candidate.holds == (all(own_or_guard(candidate)) and not candidate.expired)


def own_or_guard(candidate: Any) -> list[bool]:
    return [result.holds for result in candidate.conditions if result.operator != "require"]


@settings(max_examples=100, deadline=None)
@given(policy_sets(), tokens(), requests, st.randoms(use_true_random=False))
def test_the_order_of_policies_never_matters(
    policy_set: PolicySet, token: tuple[str, dict[str, Any]], request: DecisionRequest, random: Any
) -> None:
    names = list(policy_set.policies)
    random.shuffle(names)
    shuffled = a_policy_set(
        *(policy_set.policies[name] for name in names),
        issuers=policy_set.issuers.values(),
        services=policy_set.services.values(),
        accounts=policy_set.service_accounts.values(),
    )

    expected = explanation_of(policy_set, token, request)
    actual = explanation_of(shuffled, token, request)

    assert actual.as_json() == expected.as_json()
    assert render(actual) == render(expected)


@settings(max_examples=100, deadline=None)
@given(policy_sets(), tokens(), requests)
def test_policies_that_a_caller_may_not_see_change_nothing_for_it(
    policy_set: PolicySet, token: tuple[str, dict[str, Any]], request: DecisionRequest
) -> None:
    """What neither holds nor is visible might as well not be there."""
    issuer, claims = policy_set.issuers[token[0]], token[1]
    known = [
        policy
        for policy in policy_set.policies.values()
        if policy.issuer == issuer.name
        and (policy_holds(policy, issuer, claims, NOW) or visible_to_caller(policy, issuer, claims))
    ]
    smaller = a_policy_set(
        *known,
        issuers=policy_set.issuers.values(),
        services=policy_set.services.values(),
        accounts=policy_set.service_accounts.values(),
    )

    expected = for_caller(explanation_of(smaller, token, request))
    actual = for_caller(explanation_of(policy_set, token, request))

    assert actual.as_json() == expected.as_json()


@settings(max_examples=100, deadline=None)
@given(policy_sets(), tokens(), requests)
def test_a_caller_sees_only_what_fails_in_visible_policies(
    policy_set: PolicySet, token: tuple[str, dict[str, Any]], request: DecisionRequest
) -> None:
    issuer, claims = policy_set.issuers[token[0]], token[1]

    caller = for_caller(explanation_of(policy_set, token, request))

    text = json.dumps(caller.as_json())
    assert "octocat" not in text
    assert "somebody" not in text
    assert "actor" not in text
    for candidate in caller.candidates:
        assert visible_to_caller(candidate.policy, issuer, claims)
        assert not any(result.holds for result in candidate.conditions)
    shown = {json.dumps(result.as_json()) for each in caller.candidates for result in each.failing}
    assert {json.dumps(each) for each in failing_conditions_for_caller(caller)} <= shown
    assert for_caller(caller) == caller
    if caller.reason == "denied_by_policy":
        assert any(candidate.holds for candidate in caller.candidates)
        assert isinstance(caller.case.decision, Deny)
