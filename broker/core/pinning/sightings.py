"""What was seen under a name: ids, how often, when and on which refs, within fixed bounds.

Whoever runs jobs chooses refs, and may run them as often as it likes (attacks row 170).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from broker.core.audit import rfc3339

MAX_IDS: Final = 8
"""How many ids are told apart under one name; two are too many already."""

MAX_REFS: Final = 20
"""How many refs are told apart of one id."""


@dataclass(slots=True)
class Sighting:
    """One id under one name. Times are seconds since the epoch."""

    id: str
    first: float
    last: float
    runs: int = 0
    refs: set[str] = field(default_factory=set)
    more_refs: bool = False
    """Whether there were more refs than are told apart."""

    policies: set[str] = field(default_factory=set)
    """The policies through which it was seen."""

    def add(self, at: float, ref: str, policies: Iterable[str]) -> None:
        """Count one more run."""
        self.runs += 1
        self.first, self.last = min(self.first, at), max(self.last, at)
        if ref not in self.refs:
            if len(self.refs) < MAX_REFS:
                self.refs.add(ref)
            else:
                self.more_refs = True
        self.policies.update(policies)

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON members."""
        return {
            "id": self.id,
            "runs": self.runs,
            "refs": sorted(self.refs),
            "all_refs": not self.more_refs,
            "policies": sorted(self.policies),
            "first": rfc3339(self.first),
            "last": rfc3339(self.last),
        }


@dataclass(slots=True)
class Sightings:
    """All that was seen under one name."""

    by_id: dict[str, Sighting] = field(default_factory=dict)
    more: int = 0
    """Runs with further ids than are told apart."""

    def add(self, found: str, at: float, ref: str, policies: Iterable[str]) -> None:
        """Count a run with an id."""
        sighting = self.by_id.get(found)
        if sighting is None:
            if len(self.by_id) >= MAX_IDS:
                self.more += 1
                return
            sighting = self.by_id[found] = Sighting(found, at, at)
        sighting.add(at, ref, policies)

    def ordered(self) -> tuple[Sighting, ...]:
        """Give the ids, the first seen first."""
        return tuple(sorted(self.by_id.values(), key=lambda each: (each.first, each.id)))
