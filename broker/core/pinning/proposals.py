"""What comes of what was learned: an id for every name, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from broker.core.pinning.sightings import Sighting, Sightings
from broker.core.pinning.targets import Named, Target
from broker.core.record import record


class Standing(StrEnum):
    """How it stands with one entry of the files."""

    PROPOSED = "proposed"
    """There is an id for the names of at least one condition."""

    TWO_IDS = "two_ids"
    """A name was seen with more than one id: it has changed hands. Nothing is proposed."""

    NO_ID = "no_id"
    """A run that was permitted had no id on record that could be pinned. Nothing is proposed."""

    NOT_SEEN = "not_seen"
    """A name was in no event that counts."""

    UNPINNABLE = "unpinnable"
    """It names its tenant in a way that no id can be learned for."""

    WITHHELD = "withheld"
    """Of one condition: there is an id, but what bars another one bars the whole entry."""

    PINNED = "pinned"
    """It is confined to ids already."""


@dataclass(slots=True)
class Learned:
    """What was learned for one entry of the files."""

    target: Target
    _seen: dict[tuple[str, str], Sightings] = field(default_factory=dict)
    _without_id: dict[str, list[Any]] = field(default_factory=dict)

    def seen(self, claim: str, name: str) -> Sightings:
        """Give what was seen under a name, in the form in which names are compared."""
        return self._seen.setdefault((claim, name), Sightings())

    def without_id(self, claim: str, event_id: str) -> None:
        """Count a run that had no id beside a name."""
        self._without_id.setdefault(claim, [0, event_id])[0] += 1

    def ids_of(self, named: Named, name: str) -> tuple[Sighting, ...]:
        """Give the ids that were seen under a name as it is written."""
        found = self._seen.get((named.claim, named.key(name)))
        return found.ordered() if found else ()

    def runs_without_id(self, claim: str) -> tuple[int, str]:
        """Tell how many runs had no id beside a name, and the first of them."""
        count, event_id = self._without_id.get(claim, (0, ""))
        return count, event_id


@record
class NameFound:
    """One name, and the ids that it was seen with: the first seen first."""

    name: str
    ids: tuple[Sighting, ...]
    more: int = 0
    """Runs with further ids, which are not told apart."""


@record
class Pin:
    """One condition on names, and what is to stand beside it."""

    named: Named
    standing: Standing
    found: tuple[NameFound, ...]
    ids: tuple[str, ...] = ()
    """The ids to ask for, in the order of the names, each once; empty without a proposal."""

    without_id: tuple[int, str] = (0, "")
    """How many runs had no id on record, and the first of them."""

    @property
    def renamed(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Every id that was seen under several of the names, and those names."""
        names: dict[str, list[str]] = {}
        for each in self.found:
            for sighting in each.ids:
                names.setdefault(sighting.id, []).append(each.name)
        return tuple((found, tuple(all_)) for found, all_ in names.items() if len(all_) > 1)

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON members."""
        return {
            "claim": self.named.claim,
            "id_claim": self.named.id_claim,
            "standing": self.standing.value,
            "ids": list(self.ids),
            "names": [
                {
                    "name": each.name,
                    "ids": [sighting.as_json() for sighting in each.ids],
                    "more": each.more,
                }
                for each in self.found
            ],
            "renamed": [{"id": found, "names": list(names)} for found, names in self.renamed],
            "without_id": self.without_id[0],
            "decision_id": self.without_id[1] or None,
        }


@record
class PinOutcome:
    """How it stands with one entry of the files."""

    target: Target
    standing: Standing
    pins: tuple[Pin, ...] = ()

    @property
    def proposed(self) -> tuple[Pin, ...]:
        """The conditions for which there is a proposal."""
        return tuple(each for each in self.pins if each.ids)

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON members."""
        return {
            "map": self.target.section,
            "name": self.target.name,
            "issuer": self.target.issuer or None,
            "place": self.target.place or None,
            "standing": self.standing.value,
            "pins": [each.as_json() for each in self.pins],
            "unpinnable": [
                {"claim": claim, "why": why.value} for claim, why in self.target.unpinnable
            ],
        }


@record
class PinReport:
    """What was learned of all entries, and of how much."""

    policy_set: str
    outcomes: tuple[PinOutcome, ...]
    exchanges: int
    """How many events grant something to a CI token."""

    heeded: int
    """How many of them count for at least one policy."""

    known: int
    """How many are of an issuer that the files have."""

    unheeded: Mapping[str, int]
    """How many events teach nothing, by why."""

    @property
    def conflicts(self) -> bool:
        """Whether a name was seen with more than one id."""
        return any(each.standing is Standing.TWO_IDS for each in self.outcomes)

    @property
    def proposals(self) -> tuple[PinOutcome, ...]:
        """The entries for which there is a proposal."""
        return tuple(each for each in self.outcomes if each.standing is Standing.PROPOSED)

    def as_json(self) -> dict[str, Any]:
        """Give the report as JSON members."""
        return {
            "policy_set": self.policy_set,
            "exchanges": self.exchanges,
            "heeded": self.heeded,
            "unheeded": dict(self.unheeded),
            "entries": [each.as_json() for each in self.outcomes],
        }


def outcome_of(
    learned: Learned, everywhere: Mapping[tuple[str, str, str], Sightings]
) -> PinOutcome:
    """Tell what comes of what was learned for one entry.

    `everywhere` is what all entries learned, by issuer, claim and name. An id that another policy
    saw is never proposed here; but a name that it saw with another id has changed hands.
    """
    target = learned.target
    if target.pinned:
        return PinOutcome(target, Standing.PINNED)
    pins = [_pin(learned, named, everywhere) for named in target.named]
    for bars in (Standing.TWO_IDS, Standing.NO_ID):
        if any(each.standing is bars for each in pins):
            kept = tuple(_without_proposal(each) for each in pins)
            return PinOutcome(target, bars, kept)
    if any(each.ids for each in pins):
        return PinOutcome(target, Standing.PROPOSED, tuple(pins))
    standing = Standing.NOT_SEEN if pins else Standing.UNPINNABLE
    return PinOutcome(target, standing, tuple(pins))


def _pin(
    learned: Learned, named: Named, everywhere: Mapping[tuple[str, str, str], Sightings]
) -> Pin:
    issuer = learned.target.issuer
    in_all = [everywhere.get((issuer, named.claim, named.key(name))) for name in named.names]
    if any(each is not None and len(each.by_id) > 1 for each in in_all):
        found = tuple(
            NameFound(name, each.ordered() if each else (), each.more if each else 0)
            for name, each in zip(named.names, in_all, strict=True)
        )
        return Pin(named, Standing.TWO_IDS, found)
    own = tuple(NameFound(name, learned.ids_of(named, name)) for name in named.names)
    without_id = learned.runs_without_id(named.claim)
    if without_id[0]:
        return Pin(named, Standing.NO_ID, own, without_id=without_id)
    if not all(each.ids for each in own):
        return Pin(named, Standing.NOT_SEEN, own)
    ids = tuple(dict.fromkeys(each.ids[0].id for each in own))
    return Pin(named, Standing.PROPOSED, own, ids)


def _without_proposal(pin: Pin) -> Pin:
    standing = Standing.WITHHELD if pin.ids else pin.standing
    return Pin(pin.named, standing, pin.found, without_id=pin.without_id)
