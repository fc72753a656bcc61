"""A page of audit events, the newest first: what is looked at for one page is bounded.

A search asks the indexes which of its facts is the rarest and looks at the events with that one
alone, at so many of them at most. Whoever asks for something that hardly any of these events has
gets a short page and where to go on, and never waits for a walk over millions.

Pages are in the order of the chain. Where times bound them, they are in the order of the events'
identifiers, which begin with the milliseconds in which they were drawn: that order knows the time,
and does so for events of a clock that was wrong as well, which the numbers do not.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import apsw

from broker.core.audit_chain import StoredEvent
from broker.ports import EventFilter, EventPage
from broker.stores.sqlite_audit import COLUMNS, conditions, stored_events

LOOKED_AT: Final = 2000
"""Events that are looked at for one page."""

SLACK_SECONDS: Final = 60
"""How far the times of an event and of its identifier may be apart; they are drawn together."""

_LEAST_OF_EACH: Final = 20
_LAST_ID: Final = "g"
"""Behind every identifier: they are hexadecimal."""

_INSTANT_LENGTH: Final = len("xxxxxxxx-xxxx")
_MAX_DIGITS: Final = 18

# Which index finds a fact, and what its expression leaves out. The most frequent type and outcome
# are in none of them, since an index costs on every exchange.
_INDEXES: Final = {
    "service_account": ("events_by_service_account", "body ->> 'service_account' IS NOT NULL"),
    "type": ("events_by_type", "body ->> 'type' <> 'token.exchanged'"),
    "reason": ("events_by_reason", "body ->> 'reason' IS NOT NULL"),
    "outcome": ("events_by_outcome", "body ->> 'outcome' <> 'success'"),
    "issuer": ("events_by_issuer", "body ->> 'issuer' IS NOT NULL"),
}
_UNINDEXED: Final = frozenset({("type", "token.exchanged"), ("outcome", "success")})

_NEWEST: Final = "SELECT max(seq) FROM events"
_BY_ID: Final = "ORDER BY body ->> 'id' DESC"
_IN_TIME: Final = """
SELECT seq, body ->> 'id' FROM events INDEXED BY events_by_id
WHERE body ->> 'id' >= ? AND body ->> 'id' < ? ORDER BY body ->> 'id' DESC LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The numbers of events to look at; those behind `end` wait for another page."""

    sequences: Sequence[int]
    end: str | None
    """The position of the last one; None when there are no more."""


@dataclass(frozen=True, slots=True)
class EventPageQuery:
    """A search for one page, ready to run. Raises `ValueError` for a position that is none."""

    wanted: EventFilter
    behind: str | None
    limit: int

    def run(self, connection: apsw.Connection) -> EventPage:
        """Find the page, in one snapshot."""
        connection.execute("BEGIN")
        try:
            if self.wanted.since is None and self.wanted.until is None:
                return self._by_number(connection)
            return self._by_time(connection)
        finally:
            connection.execute("ROLLBACK")

    def _by_number(self, connection: apsw.Connection) -> EventPage:
        before = None if self.behind is None else _number(self.behind)
        newest: int = connection.execute(_NEWEST).get or 0
        last = newest if before is None else min(newest, before - 1)
        found = self._rarest(connection, last)
        if found is None:
            floor = max(last - LOOKED_AT + 1, 1)
            found = _Candidates(range(last, floor - 1, -1), str(floor) if floor > 1 else None)
        events = self._matching(connection, found.sequences, self.limit + 1)
        if len(events) > self.limit:
            return EventPage(tuple(events[: self.limit]), str(events[self.limit - 1].sequence))
        return EventPage(tuple(events), found.end)

    def _by_time(self, connection: apsw.Connection) -> EventPage:
        first, end = self._identifiers()
        found = self._rarest(connection, connection.execute(_NEWEST).get or 0)
        order = _BY_ID
        if found is None or found.end is not None:
            # Only the walk in time goes on where a page ended.
            rows: list[Any] = connection.execute(_IN_TIME, (first, end, LOOKED_AT)).fetchall()
            following = str(rows[-1][1]) if len(rows) == LOOKED_AT else None
            found, order = _Candidates([seq for seq, _ in rows], following), ""
        matching = self._matching(connection, found.sequences, self.limit + 1, order, end)
        position = found.end
        events = [(str(json.loads(event.covered)["id"]), event) for event in matching]
        if len(events) > self.limit:
            events = events[: self.limit]
            position = events[-1][0]
        # Within a millisecond identifiers are in no order, but events are.
        events.sort(key=lambda each: (each[0][:_INSTANT_LENGTH], each[1].sequence), reverse=True)
        return EventPage(tuple(event for _, event in events), position)

    def _identifiers(self) -> tuple[str, str]:
        """Give the first identifier that may be wanted, and the first that is not any more."""
        since, until = self.wanted.since, self.wanted.until
        first = "" if since is None else _instant_of_id(since - SLACK_SECONDS)
        end = _LAST_ID if until is None else _instant_of_id(until + SLACK_SECONDS)
        return first, end if self.behind is None else min(end, self.behind)

    def _rarest(self, connection: apsw.Connection, last: int) -> _Candidates | None:
        """Choose the fact that the fewest events have, and give those; None when none is asked."""
        if self.wanted.decision_id is not None:
            rows = connection.execute(
                "SELECT seq FROM events WHERE body ->> 'id' = ? AND seq <= ?",
                (self.wanted.decision_id, last),
            )
            return _Candidates([seq for (seq,) in rows], None)
        found = [search.run(connection, last) for search in self._searches()]
        return min(
            found, key=lambda each: (each.end is not None, len(each.sequences)), default=None
        )

    def _searches(self) -> Iterator["_Search"]:
        for name in _INDEXES:
            value = getattr(self.wanted, name)
            if value is not None and (name, value) not in _UNINDEXED:
                yield _Search(name, (value,))
        if self.wanted.service_accounts is not None:
            yield _Search("service_account", self.wanted.service_accounts)

    def _matching(
        self,
        connection: apsw.Connection,
        sequences: Sequence[int],
        limit: int,
        order: str = "",
        end: str | None = None,
    ) -> list[StoredEvent]:
        """Give those for which everything holds; one more than wanted tells that there are more."""
        facts = ["TRUE"]
        values: list[Any] = [json.dumps(list(sequences))]
        if end is not None:
            facts.append("body ->> 'id' < ?")
            values.append(end)
        for fact, value in conditions(self.wanted):
            facts.append(fact)
            values.append(value)
        # Without an order it is that of the list, which is left when there are enough.
        query = (
            f"SELECT {COLUMNS} FROM json_each(?) AS candidate"  # noqa: S608 — only constants
            " CROSS JOIN events ON events.seq = candidate.value"
            f" WHERE {' AND '.join(facts)} {order} LIMIT ?"
        )
        return stored_events(connection.execute(query, (*values, limit)))


@dataclass(frozen=True, slots=True)
class _Search:
    """Looking for the events that have one of some values of a fact."""

    fact: str
    values: Sequence[str]

    def run(self, connection: apsw.Connection, last: int) -> _Candidates:
        """Give the newest of them up to `last`, of all values down to the same number."""
        index, covers = _INDEXES[self.fact]
        query = (
            f"SELECT seq FROM events INDEXED BY {index}"  # noqa: S608 — only constants
            f" WHERE body ->> '{self.fact}' = ? AND {covers} AND seq <= ?"
            " ORDER BY seq DESC LIMIT ?"
        )
        most = max(LOOKED_AT // max(len(self.values), 1), _LEAST_OF_EACH)
        sequences: list[int] = []
        floor: int | None = None
        for value in self.values:
            found = [seq for (seq,) in connection.execute(query, (value, last, most))]
            sequences += found
            if len(found) == most:
                floor = max(floor or 0, found[-1])
        if floor is not None:
            sequences = [seq for seq in sequences if seq >= floor]
        end = None if floor is None else str(floor)
        return _Candidates(sorted(sequences, reverse=True), end)


def _number(position: str) -> int:
    """Read the number of an event. Raises `ValueError`."""
    if not (position.isascii() and position.isdigit() and len(position) <= _MAX_DIGITS):
        raise ValueError("no number of an event")
    return int(position)


def _instant_of_id(instant: float) -> str:
    milliseconds = f"{max(int(instant * 1000), 0):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"
