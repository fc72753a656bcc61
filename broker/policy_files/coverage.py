"""What the tests of a policy set leave untried: allow policies that no test passes or misses.

A policy is tried when one test is permitted through it and another one, which comes near, is
denied: the first says that it works, the second that it does not let everybody in.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from broker.core.conditions import Effect
from broker.core.decision import Deny, Permit
from broker.core.indexed_policies import IndexedPolicies
from broker.core.judged_policy import Case, judge
from broker.core.nearness import considered
from broker.core.policy import Mode, Policy
from broker.policy_files.run_tests import PolicyTestResult
from broker.policy_files.unmet import is_near


@dataclass(frozen=True, slots=True)
class Coverage:
    """The enforced allow policies of a set, by name, and those that tests leave untried."""

    policies: tuple[Policy, ...]
    never_permits: tuple[Policy, ...]
    """No test that holds is permitted through them."""

    never_denies: tuple[Policy, ...]
    """No test that holds is denied near them."""


def coverage(
    results: Iterable[PolicyTestResult], policies: IndexedPolicies, now: float
) -> Coverage:
    """Find the policies that tests leave untried. `now` is in seconds since the epoch."""
    counting = tuple(
        policy
        for _, policy in sorted(policies.policy_set.policies.items())
        if policy.effect is Effect.ALLOW and policy.mode is Mode.ENFORCE
    )
    permits: set[str] = set()
    denies: set[str] = set()
    for result in results:
        if not result.holds:
            continue
        if isinstance(result.decision, Permit):
            permits.update(result.decision.policies)
        else:
            denies.update(_near(result, result.decision, policies, now))
    return Coverage(
        counting,
        tuple(policy for policy in counting if policy.name not in permits),
        tuple(policy for policy in counting if policy.name not in denies),
    )


def _near(
    result: PolicyTestResult, deny: Deny, policies: IndexedPolicies, now: float
) -> Iterable[str]:
    issuer = policies.policy_set.issuers[result.test.issuer]
    case = Case(result.claims, issuer, result.test.request, policies, now, deny)
    for policy in considered(case, everything=False):
        if policy.effect is Effect.ALLOW and is_near(judge(policy, case)):
            yield policy.name
