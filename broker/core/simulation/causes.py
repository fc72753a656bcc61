"""Why a policy that permitted a job then does not permit it by another set, in a few words.

The words are those of the files alone: what a job brought along stands in none of them, so that
they are as many as there are conditions.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from broker.core.claims import Claims
from broker.core.condition_text import written, yaml
from broker.core.conditions import Condition
from broker.core.errors import Reason
from broker.core.holding import guard_holds, policy_holds
from broker.core.policy import Issuer, Mode, Policy, PolicySet
from broker.core.record import record
from broker.core.simulation.outcome import Outcome

_MOST: Final = 5

GONE: Final = "is not there"
OBSERVED: Final = "is only observed"
EXPIRED: Final = "had expired"
OTHER_ISSUER: Final = "is for another issuer"
OTHER_EVENTS: Final = "does not name the event that started the job"
DENIES: Final = "denies it"


@record
class Cause:
    """What stands between a job and a token: a policy, and what is the matter with it."""

    policy: str
    what: str

    condition: bool = False
    """Whether `what` is the condition that fails, as a line of a policy file."""


def causes_of(
    refused: Outcome,
    permitting: Iterable[str],
    policy_set: PolicySet,
    issuer: Issuer | None,
    claims: Claims,
    now: float,
) -> tuple[Cause, ...]:
    """Say why a set refuses a job that policies of these names permitted; none beyond its reason.

    `issuer` is whose token it was, as the set knows it; `now` is in seconds since the epoch.
    """
    if issuer is None or not issuer.enabled:
        return ()
    if refused.reason == Reason.DENIED_BY_POLICY:
        return tuple(Cause(name, DENIES) for name in refused.policies[:_MOST])
    return tuple(_found(permitting, policy_set, issuer, claims, now))[:_MOST]


def _found(
    names: Iterable[str], policy_set: PolicySet, issuer: Issuer, claims: Claims, now: float
) -> Iterator[Cause]:
    for name in names:
        policy = policy_set.policies.get(name)
        if policy is None:
            yield Cause(name, GONE)
        elif policy.issuer != issuer.name:
            yield Cause(name, OTHER_ISSUER)
        elif policy.mode is Mode.OBSERVE:
            yield Cause(name, OBSERVED)
        elif not policy_holds(policy, issuer, claims, now):
            yield _failing(policy, issuer, claims)


def _failing(policy: Policy, issuer: Issuer, claims: Claims) -> Cause:
    for condition in policy.conditions:
        if not condition.holds(claims, policy.effect):
            return Cause(policy.name, condition_line(condition), condition=True)
    if not guard_holds(policy, issuer, claims):
        return Cause(policy.name, OTHER_EVENTS)
    return Cause(policy.name, EXPIRED)


def condition_line(condition: Condition) -> str:
    """Write a condition as it stands in a policy file."""
    return f"{yaml(condition.claim)}: {yaml(written(condition.matcher))}"
