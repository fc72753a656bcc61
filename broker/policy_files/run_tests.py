"""Running the `tests` of the policy files: what their authors expect beside what the set decides.

Tests speak of what the files say. Where one fails only because a policy has expired or something is
switched off (`enabled: false`), it has lapsed: it is told, but it must not keep a switch from being
thrown, nor a broker from starting on the day after.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from broker.core.claims import Claims
from broker.core.condition_text import shown
from broker.core.decision import Decision, DecisionRequest, Deny, decide
from broker.core.errors import ConfigurationError, Reason
from broker.core.explain import explain
from broker.core.indexed_policies import IndexedPolicies
from broker.core.judged_policy import with_expiry
from broker.core.policy import Issuer, PolicySet
from broker.core.typical_claims import typical_claims
from broker.policy_files.build import LoadedPolicies
from broker.policy_files.policy_tests import PolicyTest
from broker.policy_files.unmet import nearest_miss, unmet

MAX_EXPLAINED: Final = 100
"""Of how many failing tests the nearest policy is looked for; it costs more than the decision."""


@dataclass(frozen=True, slots=True)
class PolicyTestResult:
    """One test with the decision on it."""

    test: PolicyTest
    claims: Claims
    """What was decided on: those of the test, above the typical ones where it has a `base`."""

    decision: Decision
    fault: str | None
    """What was expected and what came, as a sentence; None when they agree."""

    lapsed: bool = False
    """Whether it fails, but would hold if nothing had expired and nothing were switched off."""

    @property
    def holds(self) -> bool:
        """Whether the set decides as the test expects."""
        return self.fault is None


def run(
    loaded: LoadedPolicies, now: float, *, policies: IndexedPolicies | None = None
) -> list[PolicyTestResult]:
    """Run the tests of a set, in their order.

    `now` is in seconds since the epoch; `policies` is the same set where it is indexed already.
    """
    if not loaded.tests:
        return []
    policies = policies or IndexedPolicies.of(loaded.policy_set)
    runner = _Runner(policies, now, cache(lambda: IndexedPolicies.of(_revived(loaded.policy_set))))
    return [runner.result_of(test) for test in loaded.tests]


def refuse_failed(results: Iterable[PolicyTestResult]) -> None:
    """Refuse a set by the results of its tests (contract §4, Reload); lapsed ones do not count.

    Raises `ConfigurationError` with one problem for each test that fails.
    """
    problems = [
        result.test.problem(f"test `{shown(result.test.name)}` fails: {result.fault}")
        for result in results
        if not result.holds and not result.lapsed
    ]
    if problems:
        raise ConfigurationError(problems)


@dataclass(slots=True)
class _Runner:
    """Runs tests on one set at one instant; what fails is explained, but only so often."""

    policies: IndexedPolicies
    now: float
    revived: Callable[[], IndexedPolicies]
    explained: int = 0

    def result_of(self, test: PolicyTest) -> PolicyTestResult:
        issuer = self.policies.policy_set.issuers[test.issuer]
        claims = _claims(test, issuer)
        dated = with_expiry(claims, issuer, self.now)
        decision = decide(dated, issuer, test.request, self.policies, self.now)
        fault = unmet(test.expect, decision)
        if fault is None:
            return PolicyTestResult(test, claims, decision, None)
        otherwise = decide(dated, issuer, test.request, self.revived(), self.now)
        lapsed = unmet(test.expect, otherwise) is None
        if isinstance(decision, Deny) and decision.reason is Reason.NO_POLICY_MATCHED:
            fault += self.nearest(claims, issuer, test.request)
        return PolicyTestResult(test, claims, decision, fault, lapsed)

    def nearest(self, claims: Claims, issuer: Issuer, request: DecisionRequest) -> str:
        if self.explained == MAX_EXPLAINED:
            return ""
        self.explained += 1
        return f": {nearest_miss(explain(claims, issuer, request, self.policies, self.now))}"


def _claims(test: PolicyTest, issuer: Issuer) -> Claims:
    if test.base is None or issuer.platform is None:
        return test.claims
    return typical_claims(issuer.platform.name, test.base, test.claims)


def _revived(policy_set: PolicySet) -> PolicySet:
    """Give a set as it is when nothing has expired and nothing is switched off."""
    accounts = {
        name: replace(account, enabled=True)
        for name, account in policy_set.service_accounts.items()
    }
    policies = {
        name: replace(policy, expires_at=None) for name, policy in policy_set.policies.items()
    }
    return replace(policy_set, service_accounts=accounts, policies=policies)
