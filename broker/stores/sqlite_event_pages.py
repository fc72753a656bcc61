"""A page of audit events, the newest first: what is looked at for one page is bounded.

A search asks the indexes which of its facts is the rarest and looks at the events with that one
alone, at so many of them at most. Whoever asks for something that hardly any of these events has
gets a short page and where to go on, and never waits for a walk over millions.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import apsw

from broker.core.audit_chain import StoredEvent
from broker.ports import EventFilter, EventPage
from broker.stores.sqlite_audit import COLUMNS, conditions, stored_events

LOOKED_AT: Final = 2000
"""Events that are looked at for one page."""

SLACK_SECONDS: Final = 120
"""An event is written so much later than it was decided at most: a counted one waits a minute."""

_NEIGHBOURS: Final = 100
_LEAST_OF_EACH: Final = 20

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

# Identifiers begin with the milliseconds of their event, so that their index knows the time.
_FIRST_SINCE: Final = """
SELECT count(*), max(seq) FROM
    (SELECT seq FROM events WHERE body ->> 'id' >= ? ORDER BY body ->> 'id' LIMIT ?)
"""
_LAST_BEFORE: Final = """
SELECT count(*), min(seq) FROM
    (SELECT seq FROM events WHERE body ->> 'id' < ? ORDER BY body ->> 'id' DESC LIMIT ?)
"""
_LAST: Final = "SELECT max(seq) FROM events"


class _Span(NamedTuple):
    """The numbers between which the events lie, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The numbers of events to look at; those below `floor` wait for another page."""

    sequences: Sequence[int]
    floor: int | None


@dataclass(frozen=True, slots=True)
class EventPageQuery:
    """A search for one page, ready to run."""

    wanted: EventFilter
    before: int | None
    limit: int

    def run(self, connection: apsw.Connection) -> EventPage:
        """Find the page, in one snapshot."""
        connection.execute("BEGIN")
        try:
            return self._page(connection)
        finally:
            connection.execute("ROLLBACK")

    def _page(self, connection: apsw.Connection) -> EventPage:
        span = self._span(connection)
        if span is None:
            return EventPage((), None)
        candidates = self._candidates(connection, span)
        found = self._matching(connection, candidates)
        if len(found) > self.limit:
            found = found[: self.limit]
            return EventPage(tuple(found), found[-1].sequence)
        return EventPage(tuple(found), candidates.floor)

    def _span(self, connection: apsw.Connection) -> _Span | None:
        last: int | None = connection.execute(_LAST).get
        if last is None:
            return None
        if self.before is not None:
            last = min(last, self.before - 1)
        first = 1
        # NOTE: these bounds only save work; each event's own time decides. Where the clock was
        # ahead for a while, some neighbours in time have numbers that are too low or too high: the
        # widest of a hundred counts, and nothing is left out near the ends.
        if self.wanted.until is not None:
            behind = _instant_of_id(self.wanted.until + SLACK_SECONDS)
            [(count, widest)] = connection.execute(_FIRST_SINCE, (behind, _NEIGHBOURS))
            last = min(last, widest) if count == _NEIGHBOURS else last
        if self.wanted.since is not None:
            ahead = _instant_of_id(self.wanted.since - SLACK_SECONDS)
            [(count, widest)] = connection.execute(_LAST_BEFORE, (ahead, _NEIGHBOURS))
            first = max(first, widest) if count == _NEIGHBOURS else first
        return _Span(first, last)

    def _candidates(self, connection: apsw.Connection, span: _Span) -> _Candidates:
        """Choose the fact that the fewest events have, and give those."""
        if self.wanted.decision_id is not None:
            rows = connection.execute(
                "SELECT seq FROM events WHERE body ->> 'id' = ? AND seq BETWEEN ? AND ?",
                (self.wanted.decision_id, span.first, span.last),
            )
            return _Candidates([seq for (seq,) in rows], None)
        searches = list(self._searches())
        if not searches:
            floor = span.last - LOOKED_AT + 1
            sequences = range(span.last, max(floor, span.first) - 1, -1)
            return _Candidates(sequences, floor if floor > span.first else None)
        found = [search.run(connection, span) for search in searches]
        return min(found, key=lambda each: (each.floor is not None, len(each.sequences)))

    def _searches(self) -> Iterator["_Search"]:
        for name in _INDEXES:
            value = getattr(self.wanted, name)
            if value is not None and (name, value) not in _UNINDEXED:
                yield _Search(name, (value,))
        if self.wanted.service_accounts is not None:
            yield _Search("service_account", self.wanted.service_accounts)

    def _matching(self, connection: apsw.Connection, candidates: _Candidates) -> list[StoredEvent]:
        """Give those for which everything holds; one more than wanted tells that there are more."""
        facts = ["TRUE"]
        values: list[Any] = [json.dumps(list(candidates.sequences))]
        for fact, value in conditions(self.wanted):
            facts.append(fact)
            values.append(value)
        # The order of the list is that of the answer, and it is left when there are enough.
        query = (
            f"SELECT {COLUMNS} FROM json_each(?) AS candidate"  # noqa: S608 — only constants
            " CROSS JOIN events ON events.seq = candidate.value"
            f" WHERE {' AND '.join(facts)} LIMIT ?"
        )
        return stored_events(connection.execute(query, (*values, self.limit + 1)))


@dataclass(frozen=True, slots=True)
class _Search:
    """Looking for the events that have one of some values of a fact."""

    fact: str
    values: Sequence[str]

    def run(self, connection: apsw.Connection, span: _Span) -> _Candidates:
        """Give the newest of them, of all values down to the same number."""
        index, covers = _INDEXES[self.fact]
        query = (
            f"SELECT seq FROM events INDEXED BY {index}"  # noqa: S608 — only constants
            f" WHERE body ->> '{self.fact}' = ? AND {covers} AND seq BETWEEN ? AND ?"
            " ORDER BY seq DESC LIMIT ?"
        )
        most = max(LOOKED_AT // max(len(self.values), 1), _LEAST_OF_EACH)
        sequences: list[int] = []
        floor: int | None = None
        for value in self.values:
            found = [seq for (seq,) in connection.execute(query, (value, *span, most))]
            sequences += found
            if len(found) == most:
                floor = max(floor or 0, found[-1])
        if floor is not None:
            sequences = [seq for seq in sequences if seq >= floor]
        return _Candidates(sorted(sequences, reverse=True), floor)


def _instant_of_id(instant: float) -> str:
    milliseconds = f"{max(int(instant * 1000), 0):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"
