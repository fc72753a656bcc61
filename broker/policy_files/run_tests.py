"""Running the `tests` of the policy files: what their authors expect beside what the set decides.

Tests speak of what the files say. Where one fails only because a policy has expired or something is
switched off (`enabled: false`), it has lapsed: it is told, but it must not keep a switch from being
thrown, nor a broker from starting on the day after.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from broker.core.decision import Decision, Deny, IndexedPolicies, decide
from broker.core.errors import ConfigurationError, Reason
from broker.core.explain import explain, with_expiry
from broker.core.policy import Issuer, PolicySet
from broker.core.typical_claims import typical_claims
from broker.policy_files.build import LoadedPolicies
from broker.policy_files.policy_tests import PolicyTest
from broker.policy_files.unmet import nearest_miss, unmet


@dataclass(frozen=True, slots=True)
class PolicyTestResult:
    """One test with the decision on it."""

    test: PolicyTest
    claims: Mapping[str, object]
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
    revived = cache(lambda: IndexedPolicies.of(_revived(loaded.policy_set)))
    return [_run(test, policies, revived, now) for test in loaded.tests]


def refuse_failed(results: Iterable[PolicyTestResult]) -> None:
    """Refuse a set by the results of its tests (contract §4, Reload); lapsed ones do not count.

    Raises `ConfigurationError` with one problem for each test that fails.
    """
    problems = [
        result.test.problem(f"test `{result.test.name}` fails: {result.fault}")
        for result in results
        if not result.holds and not result.lapsed
    ]
    if problems:
        raise ConfigurationError(problems)


def _run(
    test: PolicyTest,
    policies: IndexedPolicies,
    revived: Callable[[], IndexedPolicies],
    now: float,
) -> PolicyTestResult:
    issuer = policies.policy_set.issuers[test.issuer]
    claims = _claims(test, issuer)
    dated = with_expiry(claims, issuer, now)
    decision = decide(dated, issuer, test.request, policies, now)
    fault = unmet(test.expect, decision)
    if fault is None:
        return PolicyTestResult(test, claims, decision, None)
    if isinstance(decision, Deny) and decision.reason is Reason.NO_POLICY_MATCHED:
        fault += f": {nearest_miss(explain(claims, issuer, test.request, policies, now))}"
    otherwise = decide(dated, issuer, test.request, revived(), now)
    return PolicyTestResult(test, claims, decision, fault, unmet(test.expect, otherwise) is None)


def _claims(test: PolicyTest, issuer: Issuer) -> Mapping[str, object]:
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
