"""Whether the policies that a decision names are those that decided it."""

from broker.core.conditions import Effect
from broker.core.errors import Reason
from broker.core.policy import Policy
from broker.core.simulation.outcome import Outcome


def is_decisive(outcome: Outcome) -> bool:
    """Tell whether policies permitted or denied; other refusals only name what held."""
    return outcome.permits or outcome.reason == Reason.DENIED_BY_POLICY


def is_decisive_of(policy: Policy, outcome: Outcome) -> bool:
    """Tell whether a policy that an outcome names is one that decided it."""
    if policy.effect is Effect.DENY:
        return outcome.reason == Reason.DENIED_BY_POLICY
    return outcome.permits
