"""What another policy set would change, and whether it may come unasked (attacks row 168)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from broker.core.conditions import Effect
from broker.core.policy import MAPS, Mode, Policy, PolicySet
from broker.core.steps import Steps

_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class PolicyChanges:
    """The difference between the set in force and the one to come."""

    old_version: str
    new_version: str
    counts: Mapping[str, Mapping[str, int]]
    """By map of the policy files: how many entries are `added`, `removed` and `changed`."""

    dropped_denies: tuple[str, ...]
    """The deny policies that hold now and would be gone."""

    empties: bool
    """Whether there are policies now and would be none."""


_MEANT: Final = "if that is meant, send SIGHUP to the broker or reload by the API"
EMPTIES: Final = f"no policy is left; {_MEANT}"


def objection(changes: PolicyChanges) -> str | None:
    """Say why a set is not taken unasked; None when nothing speaks against it."""
    if changes.empties:
        return EMPTIES
    if changes.dropped_denies:
        first = ", ".join(f"`{name}`" for name in changes.dropped_denies[:_NAMED])
        more = len(changes.dropped_denies) - _NAMED
        names = f"{first} and {more} more" if more > 0 else first
        return f"deny policies would be gone: {names}; {_MEANT}"
    return None


def compare(old: PolicySet, new: PolicySet, now: float) -> Steps[PolicyChanges]:
    """Compare two sets, pausing often; `now` is in seconds since the epoch."""
    counts: dict[str, dict[str, int]] = {}
    for name in MAPS:
        counts[name] = yield from _count(getattr(old, name), getattr(new, name))
    return PolicyChanges(
        old.version,
        new.version,
        counts,
        tuple((yield from _dropped_denies(old, new, now))),
        empties=bool(old.policies) and not new.policies,
    )


def _count(before: Mapping[str, object], after: Mapping[str, object]) -> Steps[dict[str, int]]:
    removed = changed = 0
    for name, entry in before.items():
        yield
        if name not in after:
            removed += 1
        elif after[name] is not entry and after[name] != entry:
            changed += 1
    added = len(after) - (len(before) - removed)
    return {"added": added, "removed": removed, "changed": changed}


def _dropped_denies(old: PolicySet, new: PolicySet, now: float) -> Steps[list[str]]:
    """Name the denies in force that have no successor: one of their name, or one that says it all.

    A deny that has expired protects nothing any more and may go.
    """
    before = yield from _denies(old, now)
    after = yield from _denies(new, now)
    missing = [deny for name, deny in before.items() if name not in after]
    said = {_without_name(deny) for deny in after.values()} if missing else set()
    return [deny.name for deny in missing if _without_name(deny) not in said]


def _denies(policy_set: PolicySet, now: float) -> Steps[dict[str, Policy]]:
    """Find the policies that deny now, by name."""
    found: dict[str, Policy] = {}
    for policy in policy_set.policies.values():
        yield
        in_time = policy.expires_at is None or policy.expires_at > now
        if policy.effect is Effect.DENY and policy.mode is Mode.ENFORCE and in_time:
            found[policy.name] = policy
    return found


def _without_name(deny: Policy) -> Policy:
    return replace(deny, name="", description="", owner=None, ticket=None)
