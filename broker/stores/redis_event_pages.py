"""A page of audit events, the newest first: what is looked at for one page is bounded.

The order of pages, and what is looked at for one, are those of `broker.stores.sqlite_event_pages`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from broker.core.audit_chain import StoredEvent
from broker.ports import EventFilter, EventPage
from broker.stores import redis_keys
from broker.stores.redis_audit import READ_AT_ONCE, by_decision, indexed_facts, matches
from broker.stores.redis_link import Link
from broker.stores.redis_stored_events import bounds, read_events

LOOKED_AT: Final = 2000
"""Events that are looked at for one page."""

SLACK_SECONDS: Final = 60
"""How far the times of an event and of its identifier may be apart; they are drawn together."""

_LEAST_OF_EACH: Final = 20
_LAST_ID: Final = "g"
"""Behind every identifier: they are hexadecimal."""

_INSTANT_LENGTH: Final = len("xxxxxxxx-xxxx")
_MAX_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The numbers of events to look at; those behind `end` wait for another page."""

    sequences: Sequence[int]
    end: str | None
    """The position of the last one; None when there are no more."""


async def event_page(link: Link, wanted: EventFilter, behind: str | None, limit: int) -> EventPage:
    """Find a page. Raises `ValueError` for a position that is none."""
    if wanted.since is None and wanted.until is None:
        return await _by_number(link, wanted, behind, limit)
    return await _by_time(link, wanted, behind, limit)


async def _by_number(link: Link, wanted: EventFilter, behind: str | None, limit: int) -> EventPage:
    before = None if behind is None else _number(behind)
    pruned_to, newest = await bounds(link)
    last = newest if before is None else min(newest, before - 1)
    found = await _rarest(link, wanted, last)
    if found is None:
        floor = max(last - LOOKED_AT + 1, pruned_to + 1)
        more = floor > pruned_to + 1
        found = _Candidates(range(last, floor - 1, -1), str(floor) if more else None)
    events = await _matching(link, wanted, found.sequences, limit + 1)
    if len(events) > limit:
        return EventPage(tuple(events[:limit]), str(events[limit - 1].sequence))
    return EventPage(tuple(events), found.end)


async def _by_time(link: Link, wanted: EventFilter, behind: str | None, limit: int) -> EventPage:
    first = "" if wanted.since is None else _instant_of_id(wanted.since - SLACK_SECONDS)
    end = _LAST_ID if wanted.until is None else _instant_of_id(wanted.until + SLACK_SECONDS)
    if behind is not None:
        end = min(end, behind)
    pruned_to, newest = await bounds(link)
    found = await _rarest(link, wanted, newest)
    if found is None or found.end is not None:
        # Only the walk in time goes on where a page ended.
        ids = await link.call(
            "ZREVRANGEBYLEX", redis_keys.EVENT_IDS, f"({end}", f"[{first}", "LIMIT", 0, LOOKED_AT
        )
        named = [each.decode().rpartition("|") for each in ids]
        following = named[-1][0] if len(named) == LOOKED_AT else None
        sequences = [int(number) for _, _, number in named if int(number) > pruned_to]
        found = _Candidates(sequences, following)
        matching = await _matching(link, wanted, found.sequences, limit + 1)
    else:
        matching = await _matching(link, wanted, found.sequences, len(found.sequences))
    events = [(str(json.loads(event.covered)["id"]), event) for event in matching]
    events = [each for each in events if each[0] < end]
    events.sort(key=lambda each: each[0], reverse=True)
    position = found.end
    if len(events) > limit:
        events = events[:limit]
        position = events[-1][0]
    # Within a millisecond identifiers are in no order, but events are.
    events.sort(key=lambda each: (each[0][:_INSTANT_LENGTH], each[1].sequence), reverse=True)
    return EventPage(tuple(event for _, event in events), position)


async def _rarest(link: Link, wanted: EventFilter, last: int) -> _Candidates | None:
    """Choose the fact that the fewest events have, and give those; None when none is asked."""
    if wanted.decision_id is not None:
        found = await by_decision(link, wanted.decision_id)
        return _Candidates([each for each in found if each <= last], None)
    searches: list[tuple[str, tuple[str, ...]]] = [
        (fact, (value,)) for fact, value in indexed_facts(wanted).items()
    ]
    if wanted.service_accounts is not None:
        searches.append(("service_account", wanted.service_accounts))
    candidates = [await _having(link, fact, values, last) for fact, values in searches]
    return min(
        candidates, key=lambda each: (each.end is not None, len(each.sequences)), default=None
    )


async def _having(link: Link, fact: str, values: Sequence[str], last: int) -> _Candidates:
    """Give the newest events with one of some values, of all down to the same number."""
    pruned_to, _ = await bounds(link)
    most = max(LOOKED_AT // max(len(values), 1), _LEAST_OF_EACH)
    sequences: list[int] = []
    floor: int | None = None
    for value in values:
        key = redis_keys.events_by(fact, value)
        members = await link.call("ZREVRANGEBYSCORE", key, last, f"({pruned_to}", "LIMIT", 0, most)
        found = [int(each) for each in members]
        sequences += found
        if len(found) == most:
            floor = max(floor or 0, found[-1])
    if floor is not None:
        sequences = [each for each in sequences if each >= floor]
    end = None if floor is None else str(floor)
    return _Candidates(sorted(sequences, reverse=True), end)


async def _matching(
    link: Link, wanted: EventFilter, sequences: Sequence[int], limit: int
) -> list[StoredEvent]:
    """Give those for which everything holds; one more than wanted tells that there are more."""
    found: list[StoredEvent] = []
    for begin in range(0, len(sequences), READ_AT_ONCE):
        events = await read_events(link, sequences[begin : begin + READ_AT_ONCE])
        found += [event for event in events if matches(event, wanted)]
        if len(found) >= limit:
            return found[:limit]
    return found


def _number(position: str) -> int:
    """Read the number of an event. Raises `ValueError`."""
    if not (position.isascii() and position.isdigit() and len(position) <= _MAX_DIGITS):
        raise ValueError("no number of an event")
    return int(position)


def _instant_of_id(instant: float) -> str:
    milliseconds = f"{max(int(instant * 1000), 0):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"
