"""One policy judged for one token: every condition, with what was expected and what the token has.

The decision stops at the first condition that fails; here all of them are looked at, and beside a
policy's own ones the guard and what the issuer and the service require.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from broker.core.claims import Claims, is_absent
from broker.core.condition_text import Operator, expected_by, got_from, operator_of
from broker.core.conditions import AnyOf, Condition, Effect, Equals, Matcher
from broker.core.decision import Decision, DecisionRequest, Permit
from broker.core.holding import guard_holds, policy_holds
from broker.core.indexed_policies import IndexedPolicies, granted
from broker.core.policy import Issuer, Mode, Policy, Service
from broker.core.tenant_floor import is_tenant_condition


@dataclass(frozen=True, slots=True)
class Case:
    """One decision and what it was made from."""

    claims: Claims = field(repr=False)
    issuer: Issuer
    request: DecisionRequest
    policies: IndexedPolicies = field(repr=False)
    now: float
    decision: Decision
    to_operator: bool = True
    """Whether the explanation is for an operator, who may see everything, or for the caller."""

    service: Service | None = field(init=False)
    """The service that was chosen or asked; None when no single one was."""

    def __post_init__(self) -> None:
        """Find the service once, not for every policy."""
        object.__setattr__(self, "service", self._find_service())

    def _find_service(self) -> Service | None:
        if isinstance(self.decision, Permit):
            return self.decision.service
        found = map(self.policies.policy_set.service, self.request.targets)
        asked = {each.name: each for each in found if each is not None}
        return next(iter(asked.values())) if len(asked) == 1 else None

    def service_of(self, policy: Policy) -> Service | None:
        """Give the service that a policy would serve here; None when it does not reach it."""
        reached = granted(policy, self.policies.policy_set)
        service = self.service
        if service is None and not self.request.targets and len(reached) == 1:
            service = self.policies.policy_set.services[next(iter(reached))]
        return service if service is not None and service.name in reached else None


def with_expiry(claims: Claims, issuer: Issuer, now: float) -> Claims:
    """Give claims that were written down without `exp` that of a token just made.

    `now` is in seconds since the epoch.
    """
    expires = claims.get("exp")
    if isinstance(expires, int | float) and not isinstance(expires, bool):
        return claims
    return {**claims, "exp": int(now) + issuer.max_token_lifetime}


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """One condition, judged: what was expected, what the token has, and whether it holds."""

    condition: Condition
    operator: Operator
    value: object
    """What the token has at the condition's place, as it is there."""

    holds: bool
    tenant: bool = False
    """Whether the condition confines the policy to named tenants."""

    @property
    def claim(self) -> str:
        """The claim's name, or the pointer to it."""
        return self.condition.claim

    @property
    def is_absent(self) -> bool:
        """Whether the token has nothing there."""
        return is_absent(self.value)

    def as_json(self) -> dict[str, object]:
        """Give the members that contract §2 names."""
        return {
            "claim": self.claim,
            "operator": self.operator.value,
            "expected": expected_by(self.operator, self.condition.matcher),
            "got": got_from(self.value),
            "holds": self.holds,
        }


@dataclass(frozen=True, slots=True)
class Candidate:
    """One policy, judged."""

    policy: Policy
    holds: bool
    """Whether the policy itself holds; a `require` is no part of it."""

    conditions: tuple[ConditionResult, ...]
    expired: bool = False
    other_account: bool = False
    """Whether the request names another service account."""

    other_service: bool = False
    """Whether the policy does not reach the service asked, or (deny) spares it."""

    withheld: bool = False
    """Whether conditions that fail were taken out because they tell of a person."""

    @property
    def failing(self) -> tuple[ConditionResult, ...]:
        """The conditions that do not hold."""
        return tuple(result for result in self.conditions if not result.holds)

    @property
    def obstacles(self) -> int:
        """How much stands in the way: failing conditions, and what is no condition."""
        return len(self.failing) + self.expired + self.other_account + self.other_service

    @property
    def allows(self) -> bool:
        """Whether this is an allow policy."""
        return self.policy.effect is Effect.ALLOW

    @property
    def serves(self) -> bool:
        """Whether this allow policy counts in the decision, whatever it grants."""
        return self.allows and self.holds and not self.observed and not self.other_account

    @property
    def observed(self) -> bool:
        """Whether the policy is evaluated and recorded only."""
        return self.policy.mode is Mode.OBSERVE

    def as_json(self) -> dict[str, object]:
        """Give the members that contract §2 names."""
        return {
            "policy": self.policy.name,
            "effect": self.policy.effect.value,
            "service_account": self.policy.service_account,
            "holds": self.holds,
            "conditions": [result.as_json() for result in self.conditions],
        }


def judge(policy: Policy, case: Case) -> Candidate:
    """Judge one policy: its own conditions, then the guard and what the issuer and service ask."""
    own = [_judge_own(condition, policy, case) for condition in policy.conditions]
    expired = policy.expires_at is not None and case.now >= policy.expires_at
    holds = policy_holds(policy, case.issuer, case.claims, case.now)
    if policy.effect is Effect.DENY:
        spared = _spares(policy, case.service)
        return Candidate(policy, holds, tuple(own), expired, other_service=spared)
    service = case.service_of(policy)
    required = (*case.issuer.require, *(service.minimum(case.issuer) if service else ()))
    return Candidate(
        policy,
        holds,
        (*own, *_judge_guard(policy, case), *(_judge_required(each, case) for each in required)),
        expired,
        other_account=case.request.client_id not in (None, policy.service_account),
        other_service=bool(case.request.targets) and service is None,
    )


def _spares(deny: Policy, service: Service | None) -> bool:
    return deny.services is not None and service is not None and service.name not in deny.services


def _judge_own(condition: Condition, policy: Policy, case: Case) -> ConditionResult:
    return ConditionResult(
        condition,
        operator_of(condition.matcher),
        condition.value_in(case.claims),
        condition.holds(case.claims, policy.effect),
        is_tenant_condition(condition, case.issuer),
    )


def _judge_guard(policy: Policy, case: Case) -> Iterator[ConditionResult]:
    platform = case.issuer.platform
    if platform is None:
        return
    named = {
        text
        for condition in policy.conditions
        if condition.claim == platform.event_claim
        for text in condition.named_literals()
    }
    admitted = _any_of(platform.trusted_events | named)
    yield ConditionResult(
        Condition(platform.event_claim, admitted),
        Operator.GUARD,
        case.claims.get(platform.event_claim),
        guard_holds(policy, case.issuer, case.claims),
    )


@lru_cache(maxsize=1024)
def _any_of(texts: frozenset[str]) -> Matcher:
    return AnyOf(tuple(Equals(text) for text in sorted(texts)))


def _judge_required(condition: Condition, case: Case) -> ConditionResult:
    value = condition.value_in(case.claims)
    return ConditionResult(condition, Operator.REQUIRE, value, condition.holds(case.claims))
