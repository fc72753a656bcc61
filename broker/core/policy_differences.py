"""What two policy sets say differently, entry by entry."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

from broker.core.policy import MAPS, PolicySet

ADDED: Final = "added"
REMOVED: Final = "removed"
CHANGED: Final = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One entry of a policy file that is there in one set alone, or says something else."""

    map: str
    """`policies`, `services` and so on."""

    name: str
    what: str
    """`added`, `removed` or `changed`."""

    members: tuple[str, ...] = ()
    """Of a changed one, what says something else; its conditions are `match`."""

    def as_json(self) -> dict[str, Any]:
        """Give the members that say so."""
        return {
            "map": self.map, "name": self.name, "what": self.what, "members": list(self.members),
        }  # fmt: skip


def differences(old: PolicySet, new: PolicySet) -> Iterator[Difference]:
    """Yield what differs, by map and name."""
    for each in MAPS:
        before, after = getattr(old, each), getattr(new, each)
        for name in sorted(before.keys() | after.keys()):
            if name not in before:
                yield Difference(each, name, ADDED)
            elif name not in after:
                yield Difference(each, name, REMOVED)
            elif before[name] != after[name]:
                yield Difference(each, name, CHANGED, _members(before[name], after[name]))


def _members(before: object, after: object) -> tuple[str, ...]:
    if not is_dataclass(before):
        return ("description",)
    names = (each.name for each in fields(before) if each.compare)
    differing = (name for name in names if getattr(before, name) != getattr(after, name))
    return tuple("match" if name == "conditions" else name for name in differing)
