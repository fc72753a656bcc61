"""Explanations to test with: a policy file's words in, an explanation out."""

from collections.abc import Iterable, Mapping
from typing import Any

from broker.core.conditions import Condition, Glob, Not, Positive, Present, Regex
from broker.core.decision import DecisionRequest
from broker.core.explain import Explanation, explain, for_caller
from broker.core.indexed_policies import IndexedPolicies
from broker.core.judged_policy import Candidate
from broker.core.policy import Issuer, Policy, PolicySet
from tests.core.builders import (
    NOW,
    a_matcher,
    a_policy,
    a_policy_set,
    an_issuer,
    github_claims,
    some_conditions,
)

IMMUTABLE_SUB = "repo:acme@123456/web@456789:ref:refs/heads/main"


def glob(pattern: str) -> Glob:
    return Glob(pattern)


def regex(pattern: str) -> Regex:
    return Regex(pattern)


def present() -> Present:
    return Present()


def excluding(*items: Any) -> Not:
    """What `not` makes of one item or of several."""
    inner: Any = a_matcher(list(items) if len(items) > 1 else items[0])
    positive: Positive = inner
    return Not(positive)


def requiring(**match: Any) -> tuple[Condition, ...]:
    """The conditions of a `require`, on a GitHub token."""
    return some_conditions(match)


def explained(
    policies: PolicySet | Policy | Iterable[Policy],
    claims: Mapping[str, Any] | None = None,
    *,
    issuer: str = "github",
    now: float = NOW,
    everything: bool = False,
    **request: Any,
) -> Explanation:
    """Explain a request for `deploy-api`, unless told otherwise, of a push to `acme/web`."""
    if isinstance(policies, Policy):
        policies = a_policy_set(policies)
    elif not isinstance(policies, PolicySet):
        policies = a_policy_set(*policies)
    return explain(
        github_claims() if claims is None else claims,
        policies.issuers[issuer],
        DecisionRequest(**{"targets": ("deploy-api",), **request}),
        IndexedPolicies.of(policies),
        now,
        everything=everything,
    )


def fix(policies: PolicySet | Policy, claims: Mapping[str, Any] | None = None, **more: Any) -> str:
    """What the operator is told to change."""
    told = explained(policies, claims, **more).fix
    assert told is not None
    return told


def caller_fix(
    policies: PolicySet | Policy, claims: Mapping[str, Any] | None = None, **more: Any
) -> str | None:
    """What the caller is told to change."""
    return for_caller(explained(policies, claims, **more)).fix


def conditions_of(candidate: Candidate) -> dict[str, tuple[object, object, bool]]:
    """Operator and claim of every condition, with what was expected, what was got and whether."""
    return {
        f"{each['operator']} {each['claim']}": (each["expected"], each["got"], bool(each["holds"]))
        for each in (result.as_json() for result in candidate.conditions)
    }


def failing(candidate: Candidate) -> list[str]:
    return [f"{result.operator.value} {result.claim}" for result in candidate.failing]


def web_policy(**match: Any) -> Policy:
    """`web-production`, for the repository acme/web by its id."""
    return a_policy("web-production", {"repository_id": "456789", **match})


def gitlab_policy(**match: Any) -> Policy:
    return a_policy("web-production", {"project_id": "4242", **match}, issuer="gitlab")


def no_preset_policy(*, match: Mapping[str, Any], issuer: Issuer | None = None) -> PolicySet:
    """One policy of the issuer `ci`, which has no preset."""
    trusted = issuer or an_issuer("ci")
    policy = a_policy("ci-web", match, issuer=trusted.name)
    return a_policy_set(policy, issuers=[trusted])
