"""When a policy holds for a token: its conditions, its end, and the guard (contract §4)."""

from broker.core.claims import Claims, text_of
from broker.core.conditions import Effect, all_hold
from broker.core.policy import Issuer, Policy
from broker.core.tenant_floor import is_tenant_condition


def policy_holds(policy: Policy, issuer: Issuer, claims: Claims, now: float) -> bool:
    """Tell whether a policy of this issuer holds for a token at an instant."""
    if policy.expires_at is not None and now >= policy.expires_at:
        return False
    if policy.effect is Effect.ALLOW and not guard_holds(policy, issuer, claims):
        return False
    return all_hold(policy.conditions, claims, policy.effect)


def guard_holds(policy: Policy, issuer: Issuer, claims: Claims) -> bool:
    """Tell whether an allow policy may hold for what started this pipeline.

    Events that outsiders can cause, unknown ones and none at all match only a policy that names
    the value literally (contract §4, attacks rows 89, 91, 105, 156-158).
    """
    if issuer.platform is None:
        return True
    event = text_of(claims.get(issuer.platform.event_claim))
    if event in issuer.platform.trusted_events:
        return True
    return event is not None and any(
        condition.claim == issuer.platform.event_claim and event in condition.named_literals()
        for condition in policy.conditions
    )


def visible_to_caller(policy: Policy, issuer: Issuer, claims: Claims) -> bool:
    """Tell whether a caller may learn of an allow policy: it names the caller's own tenant."""
    tenant = [each for each in policy.conditions if is_tenant_condition(each, issuer)]
    return bool(tenant) and all_hold(tenant, claims, Effect.ALLOW)
