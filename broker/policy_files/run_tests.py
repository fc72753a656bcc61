"""Running the `tests` of the policy files: what its authors expect beside what a set decides."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from broker.core.decision import Decision, Deny, IndexedPolicies, Permit, decide
from broker.core.durations import duration_text
from broker.core.policy import Issuer
from broker.policy_files.build import LoadedPolicies
from broker.policy_files.policy_tests import Expectation, PolicyTest


@dataclass(frozen=True, slots=True)
class PolicyTestResult:
    """One test with the decision on it; `fault` says what was expected and what came."""

    test: PolicyTest
    decision: Decision
    fault: str | None

    @property
    def holds(self) -> bool:
        """Whether the set decides as the test expects."""
        return self.fault is None


def run(loaded: LoadedPolicies, now: float) -> list[PolicyTestResult]:
    """Run the tests of a set, in their order. `now` is in seconds since the epoch."""
    policies = IndexedPolicies.of(loaded.policy_set)
    results = []
    for test in loaded.tests:
        issuer = loaded.policy_set.issuers[test.issuer]
        claims = _with_expiry(test.claims, issuer, now)
        decision = decide(claims, issuer, test.request, policies, now)
        results.append(PolicyTestResult(test, decision, _fault(test.expect, decision)))
    return results


def _with_expiry(claims: Mapping[str, object], issuer: Issuer, now: float) -> Mapping[str, object]:
    """Let a token whose `exp` is not written live as long as its issuer's tokens may."""
    expires = claims.get("exp")
    if isinstance(expires, int) and not isinstance(expires, bool):
        return claims
    return {**claims, "exp": math.floor(now) + issuer.max_token_lifetime}


def _fault(expect: Expectation, decision: Decision) -> str | None:
    if isinstance(decision, Deny):
        if expect.decision == "deny" and expect.reason in (None, decision.reason):
            return None
        return f"expected {_expected(expect)}, got deny {decision.reason}"
    if expect.decision == "deny":
        return f"expected {_expected(expect)}, got permit as {decision.service_account.client_id}"
    return _difference(expect, decision)


def _expected(expect: Expectation) -> str:
    return expect.decision if expect.reason is None else f"deny {expect.reason}"


def _difference(expect: Expectation, permit: Permit) -> str | None:
    account = permit.service_account.client_id
    if expect.service_account not in (None, account):
        return f"expected permit as {expect.service_account}, got permit as {account}"
    if expect.scopes not in (None, frozenset(permit.scopes)):
        return f"expected scopes {expect.scopes}, got {permit.scopes}"
    if expect.ttl not in (None, permit.ttl):
        return f"expected ttl {duration_text(expect.ttl or 0)}, got {duration_text(permit.ttl)}"
    return None
