"""Verifying the chain of audit events, one after the other (contract §6, attacks row 184).

An edit, a gap and a reorder show in the events themselves. A cut tail and a rebuilt chain show only
against heads that were signed before and kept elsewhere; a cut beginning against the beginning that
the broker signed when it pruned.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from broker.core.audit import (
    ERASED,
    GENESIS,
    chain_hash,
    claims_digest,
    stored_line,
    stored_members,
)

_SHOWN: Final = 12
_PREV_END: Final = -len('"}')
_PREV_AT: Final = _PREV_END - len(GENESIS)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the chain: the number of an event and its hash."""

    sequence: int
    hash: str


START: Final = Position(0, GENESIS)
"""Where a chain begins of which nothing was pruned."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as a store keeps it."""

    sequence: int
    covered: str
    """The JSON text that `hash` is the SHA-256 of."""

    claims: str
    """The JSON text of the claims; `ERASED` when they were erased."""

    hash: str

    def members(self) -> dict[str, Any]:
        """Give the event as JSON members. Raises `ValueError` when its text was damaged."""
        return stored_members(self.covered, self.claims, self.hash)

    def line(self) -> str:
        """Give the event as a line of JSON. Raises `ValueError` when its text was damaged."""
        return stored_line(self.covered, self.claims, self.hash)

    def link(self) -> "Link":
        """Give what the chain says of the event."""
        # The first and the last member have fixed places; to parse all between would take longer
        # than everything else.
        text = self.covered
        before_prev, prev = text[:_PREV_AT], text[_PREV_AT:_PREV_END]
        if not (
            text.startswith(f'{{"seq":{self.sequence},')
            and before_prev.endswith(',"prev":"')
            and text.endswith('"}')
            and '"claims":"' in text
        ):
            return Link(self.sequence, self.hash)
        erased = self.claims == ERASED
        return Link(
            self.sequence,
            self.hash,
            prev,
            fits=hashlib.sha256(text.encode()).hexdigest() == self.hash,
            claims_fit=erased or f'"claims":"{claims_digest(self.claims)}",' in text,
            erased=erased,
        )


@dataclass(frozen=True, slots=True)
class Link:
    """What the chain says of one event, and whether the event says the same."""

    sequence: int
    hash: str
    prev: str | None = None
    """None when the event cannot be read as one."""

    fits: bool = False
    """Whether the hash is that of the event."""

    claims_fit: bool = True
    erased: bool = False
    """Whether the claims were erased."""


class LineRefused(ValueError):
    """A line is no audit event; the message says why and does not repeat it."""


def link_of_line(line: bytes) -> Link:
    """Read one exported line.

    Members may have been reordered on their way. Raises `LineRefused`.
    """
    try:
        members = json.loads(
            line.decode(), object_pairs_hook=_once_each, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        raise LineRefused("is not JSON, or has a member twice") from None
    if not isinstance(members, dict):
        raise LineRefused("is not a JSON object")
    sequence, prev, event_hash = (members.get(name) for name in ("seq", "prev", "hash"))
    if not (
        isinstance(sequence, int) and isinstance(prev, str) and isinstance(event_hash, str)
    ) or isinstance(sequence, bool):
        raise LineRefused("has no `seq`, `prev` and `hash`")
    try:
        fits = chain_hash(members) == event_hash
    except (LookupError, ValueError, TypeError):
        fits = False
    erased = members.get("claims") is None and "claims_erased" in members
    return Link(sequence, event_hash, prev, fits, erased=erased)


@dataclass(frozen=True, slots=True)
class Head:
    """The last event that a chain had at a time, as somebody signed it."""

    position: Position
    time: str
    """RFC 3339."""


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a verification found."""

    events: int
    """How many events were read, the broken one included."""

    heads: int = 0
    """How many heads of the checkpoint the chain holds as they were signed."""

    heads_before: int = 0
    """How many are older than the first event, so that nothing can be said of them."""

    erased: int = 0
    """How many events have had their claims erased."""

    begins_after: Position = START
    ends_at: Position | None = None
    """The last event; None when there is none."""

    first_broken: int | None = None
    fault: str | None = None
    """What is wrong, as a sentence without its end."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.first_broken is None

    def as_json(self) -> dict[str, Any]:
        """Give the result as JSON members."""
        members: dict[str, Any] = {"ok": self.ok, "events": self.events}
        if self.first_broken is not None:
            members |= {"first_broken": self.first_broken, "fault": self.fault}
        end = self.ends_at
        return members | {
            "heads": self.heads,
            "heads_before": self.heads_before,
            "claims_erased": self.erased,
            "begins_after": self.begins_after.sequence,
            "last": None if end is None else {"seq": end.sequence, "hash": end.hash},
        }


def verify_chain(
    links: Iterable[Link], heads: Sequence[Head] = (), *, begins_after: Position | None = START
) -> ChainReport:
    """Follow a chain up to its end or to the first thing that is wrong with it.

    Arguments as of `ChainVerification`.
    """
    verification = ChainVerification(heads, begins_after=begins_after)
    for link in links:
        if not verification.take(link):
            break
    return verification.finish()


@dataclass(frozen=True, slots=True)
class _Fault:
    first_broken: int
    text: str


class ChainVerification:
    """A verification under way, one event after the other."""

    def __init__(
        self, heads: Sequence[Head] = (), *, begins_after: Position | None = START
    ) -> None:
        """`begins_after` is the event before the first.

        None takes what the first event says, as for a part of a chain. `heads` are trusted: whoever
        calls has verified their signatures.
        """
        self._begins_after = begins_after
        self._heads: dict[int, list[Head]] = {}
        for head in heads:
            self._heads.setdefault(head.position.sequence, []).append(head)
        self._events = 0
        self._erased = 0
        self._last: Position | None = None
        self._held: list[Head] = []
        self._fault: _Fault | None = None

    def take(self, link: Link) -> bool:
        """Go on by one event; tell whether nothing is wrong so far."""
        self._events += 1
        if self._begins_after is None:
            self._begins_after = Position(link.sequence - 1, link.prev or GENESIS)
        before = self._last or self._begins_after
        self._fault = (
            _place(link, before, first=self._last is None)
            or _content(link, before)
            or self._heads_of(link)
        )
        if self._fault is not None:
            return False
        self._erased += link.erased
        self._last = Position(link.sequence, link.hash)
        return True

    def finish(self) -> ChainReport:
        """Tell what was found, after a look at what should lie behind the last event."""
        begin = self._begins_after or START
        fault = self._fault or self._beginning(begin) or self._tail(self._last or begin)
        before = [head for head in self._all_heads() if head.position.sequence <= begin.sequence]
        return ChainReport(
            events=self._events,
            heads=len(self._held),
            heads_before=len(before),
            erased=self._erased,
            begins_after=begin,
            ends_at=self._last,
            first_broken=None if fault is None else fault.first_broken,
            fault=None if fault is None else fault.text,
        )

    def _heads_of(self, link: Link) -> _Fault | None:
        for head in self._heads.get(link.sequence, ()):
            if head.position.hash != link.hash:
                return self._rebuilt(head, link.sequence)
            self._held.append(head)
        return None

    def _beginning(self, begin: Position) -> _Fault | None:
        """Compare heads of the very event that the chain begins after; its hash is known."""
        for head in self._heads.get(begin.sequence, ()):
            if head.position.hash != begin.hash:
                return self._rebuilt(head, begin.sequence + 1)
        return None

    def _tail(self, end: Position) -> _Fault | None:
        beyond = [head for head in self._all_heads() if head.position.sequence > end.sequence]
        if not beyond:
            return None
        head = max(beyond, key=lambda each: each.position.sequence)
        return _Fault(
            end.sequence + 1,
            f"the chain ends at event {end.sequence}, but it had event {head.position.sequence}"
            f" when a head was signed at {head.time}: its tail was cut off",
        )

    def _rebuilt(self, head: Head, first_broken: int) -> _Fault:
        since = f" after event {self._held[-1].position.sequence}" if self._held else ""
        return _Fault(
            first_broken,
            f"event {head.position.sequence} has another hash than in the head signed at"
            f" {head.time}: the chain was rebuilt{since}",
        )

    def _all_heads(self) -> Iterator[Head]:
        return (head for heads in self._heads.values() for head in heads)


def _place(link: Link, before: Position, *, first: bool) -> _Fault | None:
    """Say what is wrong with the place of an event behind the one before."""
    sequence, expected = link.sequence, before.sequence + 1
    if sequence == expected:
        return None
    if sequence < expected:
        where = "stands before the beginning" if first else f"comes after event {before.sequence}"
        return _Fault(sequence, f"event {sequence} {where}: events were reordered or repeated")
    last = sequence - 1
    missing = f"event {last} is" if last == expected else f"events {expected} to {last} are"
    if not first:
        return _Fault(expected, f"{missing} missing")
    if before == START:
        why = "nothing signed says that they were pruned"
    else:
        why = f"what was pruned ends with event {before.sequence}"
    return _Fault(expected, f"{missing} missing at the beginning: {why}")


def _content(link: Link, before: Position) -> _Fault | None:
    """Say what is wrong with an event at its place."""
    if link.prev is None:
        what = "it cannot be read, or says that it has another place"
    elif not link.fits:
        what = "it was changed: its hash is not that of its content"
    elif not link.claims_fit:
        what = "its claims were changed"
    elif link.prev != before.hash:
        what = (
            f"it follows an event with the hash {link.prev[:_SHOWN]}…, but that of event"
            f" {before.sequence} is {before.hash[:_SHOWN]}…: one of the two was replaced"
        )
    else:
        return None
    return _Fault(link.sequence, f"event {link.sequence}: {what}")


def _once_each(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member twice")
    return members


def _no_constant(name: str) -> object:
    raise ValueError(name)
