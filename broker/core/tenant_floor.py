"""The tenant floor: an allow policy pins whose jobs it means, by literals (contract §4).

Anyone on a shared platform can ask for any audience, so a policy that names no tenant trusts
everybody there (attacks rows 52, 61, 94, 162).
"""

from collections.abc import Iterable

from broker.core.conditions import AnyOf, Condition, Equals, Glob, Matcher
from broker.core.globs import literal_prefix
from broker.core.policy import Issuer


def pins_tenant(conditions: Iterable[Condition], issuer: Issuer) -> bool:
    """Tell whether these conditions, or the issuer's `require`, stay within named tenants."""
    if issuer.platform is None and issuer.single_tenant:
        return True
    return any(
        is_tenant_condition(condition, issuer) for condition in (*conditions, *issuer.require)
    )


def is_tenant_condition(condition: Condition, issuer: Issuer) -> bool:
    """Tell whether one condition alone confines tokens of this issuer to named tenants.

    Every item of a list must qualify; pointers, `not`, `present` and patterns never do.
    """
    if condition.is_pointer:
        return False
    platform = issuer.platform
    if platform is None:
        return condition.claim in issuer.tenant and condition.literals() is not None
    if condition.claim == "sub":
        literals = condition.literals()
        return literals is not None and all(platform.sub_tenant.match(text) for text in literals)
    if condition.claim in platform.tenant_paths:
        return all(_is_literal_or_below_one(item) for item in _items(condition.matcher))
    return condition.claim in platform.tenant_claims and condition.literals() is not None


def _items(matcher: Matcher) -> tuple[Matcher, ...]:
    return matcher.items if isinstance(matcher, AnyOf) else (matcher,)


def _is_literal_or_below_one(item: Matcher) -> bool:
    """Tell whether an item is a literal or a glob behind a literal first segment."""
    if isinstance(item, Equals):
        return True
    return isinstance(item, Glob) and literal_prefix(item.pattern).find("/") > 0
