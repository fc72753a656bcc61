"""What is compared when two policies of one issuer are: conditions by claim, and grants."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final, TypeVar

from broker.core.conditions import AnyOf, Condition, Equals, Glob, Matcher
from broker.core.globs import literal_prefix
from broker.core.policy import Grants, Policy
from broker.core.policy_lint.linted_set import AllowPolicy
from broker.core.policy_lint.prefix_index import ConditionsByClaim

_REF_TYPES: Final = {"refs/heads/": "branch", "refs/tags/": "tag"}

Key = TypeVar("Key")
Item = TypeVar("Item")


def conditions_of(policy: Policy) -> dict[str, Condition]:
    """Give a policy's conditions by claim."""
    return {condition.claim: condition for condition in policy.conditions}


def conditions_with_events(allow: AllowPolicy) -> dict[str, Condition]:
    """Give an allow policy's conditions by claim, the guard's among them as a list of events."""
    conditions = conditions_of(allow.policy)
    platform = allow.issuer.platform
    if platform is not None and allow.events is not None:
        conditions[platform.event_claim] = _event_condition(platform.event_claim, allow.events)
    return conditions


@lru_cache(maxsize=1024)
def _event_condition(claim: str, events: frozenset[str]) -> Condition:
    return Condition(claim, AnyOf(tuple(Equals(event) for event in sorted(events))))


def can_hold(allow: AllowPolicy) -> bool:
    """Tell whether the guard and the conditions on the event leave any event."""
    return allow.events is None or bool(allow.events)


def with_ref_type(conditions: ConditionsByClaim) -> ConditionsByClaim:
    """Add what whole refs say of the type of ref."""
    whole = conditions.get("ref_path", conditions.get("ref"))
    if whole is None or "ref_type" in conditions:
        return conditions
    types = set(map(_ref_type, _items(whole.matcher)))
    if len(types) != 1 or None in types:
        return conditions
    text = types.pop() or ""
    return {**conditions, "ref_type": Condition("ref_type", Equals(text))}


def are_within(grants: Grants, others: Grants) -> bool:
    """Tell whether every scope of every service is among the others."""
    return all(
        service in others and scopes <= others[service] for service, scopes in grants.items()
    )


def in_groups(
    items: Iterable[Item], keys: Callable[[Item], Iterable[Key]]
) -> dict[Key, list[Item]]:
    """Group items by each of their keys."""
    groups: dict[Key, list[Item]] = defaultdict(list)
    for item in items:
        for key in keys(item):
            groups[key].append(item)
    return groups


def _items(matcher: Matcher) -> Sequence[Matcher]:
    return matcher.items if isinstance(matcher, AnyOf) else (matcher,)


def _ref_type(item: Matcher) -> str | None:
    text = ""
    if isinstance(item, Equals):
        text = item.text
    elif isinstance(item, Glob):
        text = literal_prefix(item.pattern)
    return next((kind for prefix, kind in _REF_TYPES.items() if text.startswith(prefix)), None)
