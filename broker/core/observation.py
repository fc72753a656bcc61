"""What would be decided if the observed policies counted as well (contract §4, `mode: observe`).

A pure function beside the decision, asked after it and only where an observed policy holds: what it
finds is recorded, and decides nothing. The steps are those of `decide` itself, so that a policy
does what was observed of it once it is enforced.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

from broker.core.blocks import NO_BLOCKS, Blocks
from broker.core.claims import Claims
from broker.core.conditions import Effect
from broker.core.decision import Decision, DecisionRequest, Deny, Permit, decide
from broker.core.errors import Reason
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Issuer, Policy, PolicySet
from broker.core.record import record
from broker.core.simulation.outcome import Kind, Outcome, differences, kind_of

MAX_NAMED: Final = 100
"""How many policies of an observation are recorded by name, the first ones in their order: who may
write observed policies does not fill the records of others."""

_name: Final = attrgetter("name")


class Would(StrEnum):
    """How a decision, and the same with the observed policies, compare."""

    PERMIT = "would_permit"
    DENY = "would_deny"
    CHANGE = "would_change"
    """It would be permitted as it is, with other scopes, account, `sub`, audience or life."""

    SAME = "same"


WOULD: Final = {
    Kind.NEWLY_PERMITTED: Would.PERMIT,
    Kind.NEWLY_DENIED: Would.DENY,
    Kind.CHANGED: Would.CHANGE,
    Kind.UNCHANGED: Would.SAME,
}


@record
class Observation:
    """The decision that there would be, and how it differs from the one that there is."""

    would: Would
    outcome: Outcome

    def members(self) -> dict[str, Any]:
        """Give it as JSON members, as the audit keeps it; what is not granted is null."""
        found = self.outcome
        return {
            "kind": self.would.value,
            "reason": found.reason,
            "policies": list(found.policies[:MAX_NAMED]),
            "service_account": found.service_account,
            "sub": found.sub,
            "audience": found.audience,
            "scopes": None if found.scopes is None else list(found.scopes),
            "ttl": found.ttl,
        }


def observe(  # noqa: PLR0913 - what a decision has, and the decision
    decision: Decision,
    held: Sequence[Policy],
    claims: Claims,
    issuer: Issuer,
    request: DecisionRequest,
    policies: IndexedPolicies,
    now: float,
    *,
    issues: Callable[[Permit], bool] | None = None,
) -> Observation | None:
    """Decide once more, as if the observed policies that hold were enforced.

    None where none holds, and where a block decided: that is so whatever policies say. `now` is in
    seconds since the epoch. `issues` tells whether the service's tokens are of the type asked for,
    where a type was: a permit for another one is refused.
    """
    if not held or (isinstance(decision, Deny) and decision.reason is Reason.BLOCKED):
        return None
    was = Outcome.of(decision)
    decided = decide(claims, issuer, request, WithObserved(policies, held), now)
    found = Outcome.of(decided)
    if isinstance(decided, Permit) and issues is not None and not issues(decided):
        found = Outcome(Reason.UNSUPPORTED_TOKEN_TYPE.value, found.policies)
    return Observation(WOULD[kind_of(was, found, differences(was, found))], found)


class WithObserved:
    """The policies of a set, and the observed ones that hold; implements `CountingPolicies`."""

    __slots__ = ("_held", "_policies")

    def __init__(self, policies: IndexedPolicies, held: Sequence[Policy]) -> None:
        self._policies = policies
        self._held = held

    @property
    def policy_set(self) -> PolicySet:
        """The set that they are of."""
        return self._policies.policy_set

    @property
    def blocks(self) -> Blocks:
        """None: whom a block is about does not hang on policies that do not count."""
        return NO_BLOCKS

    def allowing(self, issuer: Issuer, claims: Claims, now: float) -> list[Policy]:
        """List the allow policies that hold, by name."""
        return self._together(self._policies.allowing(issuer, claims, now), Effect.ALLOW)

    def denying(self, issuer: Issuer, claims: Claims, now: float) -> list[Policy]:
        """List the deny policies that hold, by name."""
        return self._together(self._policies.denying(issuer, claims, now), Effect.DENY)

    def _together(self, enforced: list[Policy], effect: Effect) -> list[Policy]:
        return sorted(
            [*enforced, *(each for each in self._held if each.effect is effect)], key=_name
        )
