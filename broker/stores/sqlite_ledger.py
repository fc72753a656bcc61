"""One transaction that appends a batch to the ledger: spends and chained events together.

The interpreter is handed over at every step of SQLite's, and while requests are served each time
costs more than the step. So a batch takes few steps: many rows go into one statement.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import apsw

from broker.core.audit import GENESIS, AuditEvent, ChainedEvent, SerializedEvent, stored_members
from broker.core.record import record
from broker.ports import Entry, Spend
from broker.stores.sqlite_file import APPLICATION_ID, transaction

# Expired spends are looked for once in so many events, and more are removed than can have come.
_PRUNED_EVERY: Final = 64
_PRUNED_BESIDES: Final = 16

_HEAD: Final = """
SELECT state.epoch, state.forgotten_until, state.refused_until, events.seq, events.hash
FROM state LEFT JOIN (SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1) AS events
"""
_PRUNE: Final = """
DELETE FROM spends WHERE rowid IN (
    SELECT rowid FROM spends WHERE expires_at / 60 < ? / 60 ORDER BY expires_at / 60 LIMIT ?
)
RETURNING expires_at
"""
_FORGET: Final = "UPDATE state SET forgotten_until = max(forgotten_until, ?)"
# A statement for each of these numbers of rows, largest first: what is prepared stays prepared.
_CHUNKS: Final = (64, 32, 16, 8, 4, 2, 1)


def _by_rows(statement: str, row: str) -> dict[int, str]:
    return {rows: statement.format(", ".join([row] * rows)) for rows in _CHUNKS}


_SPENT: Final = _by_rows("SELECT key, expires_at FROM spends WHERE key IN ({})", "?")
_SPEND: Final = _by_rows("INSERT OR REPLACE INTO spends (key, expires_at) VALUES {}", "(?, ?)")
_APPEND: Final = _by_rows("INSERT INTO events (seq, body, claims, hash) VALUES {}", "(?, ?, ?, ?)")
_EVENTS: Final = "SELECT body, claims, hash FROM events"


T = TypeVar("T")


@record
class PendingEntry:
    """An entry that waits for its batch, its event already written out as JSON."""

    event: SerializedEvent
    spend: Spend | None
    event_if_spent: Callable[[], AuditEvent]
    epoch: int | None

    @classmethod
    def of(cls, entry: Entry) -> "PendingEntry":
        """Prepare an entry. Raises `ValueError` for a spend without an event if it was spent."""
        if entry.spend is not None and entry.event_if_spent is None:
            raise ValueError("an entry with a spend needs an event_if_spent")
        event = SerializedEvent.of(entry.event)
        return cls(event, entry.spend, entry.event_if_spent or (lambda: entry.event), entry.epoch)


@record
class Appended:
    """What became of an entry: the event that was written, and whether the spend was refused."""

    event: ChainedEvent
    already_spent: bool


def append(
    connection: apsw.Connection, pending: Sequence[PendingEntry], now: float
) -> list[Appended | None]:
    """Append a batch, first come first served; `now` is in seconds since the Unix epoch.

    Gives None for an entry that was decided by another state than the current one: it is left out.
    All else is durable when this returns; nothing is written when it raises `apsw.Error`.
    """
    with transaction(connection):
        head = connection.execute(_HEAD).fetchone()
        # Without its row, nothing could tell the processes of a change.
        if head is None:
            raise apsw.CorruptError("the state has no epoch")
        epoch, forgotten_until, refused_until = head[:3]
        first, prev = head[3] or 0, head[4] or GENESIS
        sequence = first
        appended: list[Appended | None] = []
        fresh: list[Spend] = []
        spent = _spent(connection, [each.spend for each in pending if each.spend], now)
        for entry in pending:
            if entry.epoch is not None and entry.epoch != epoch:
                appended.append(None)
                continue
            event, spend, already_spent = entry.event, entry.spend, False
            if spend is not None:
                # Of what has been forgotten nobody knows: the clock was ahead, and is back now.
                # Nor of what was used after the backup that the store was made of.
                already_spent = (
                    spend.key in spent
                    or spend.expires_at <= forgotten_until
                    or 0 < refused_until >= spend.issued_at
                )
                if already_spent:
                    # Written out only here: hardly any entry needs it.
                    event = SerializedEvent.of(entry.event_if_spent())
                else:
                    spent.add(spend.key)
                    fresh.append(spend)
            chained = event.at(sequence + 1, prev)
            appended.append(Appended(chained, already_spent))
            sequence, prev = chained.sequence, chained.hash
        _insert_spends(connection, fresh)
        _insert_events(connection, [each.event for each in appended if each is not None])
        if sequence // _PRUNED_EVERY != first // _PRUNED_EVERY:
            _prune(connection, now, 2 * max(_PRUNED_EVERY, len(pending)) + _PRUNED_BESIDES)
    return appended


def prove_writable(connection: apsw.Connection) -> None:
    """Do all that a commit does but leave the state as it is. Raises `apsw.Error`."""
    with transaction(connection):
        connection.execute(_HEAD).fetchone()
        connection.pragma("application_id", APPLICATION_ID)


def read_events(
    connection: apsw.Connection, decision_id: str | None, after_seq: int, limit: int
) -> list[dict[str, Any]]:
    """List events as JSON members, oldest first; `decision_id` None means any."""
    if decision_id is None:
        rows = connection.execute(
            f"{_EVENTS} WHERE seq > ? ORDER BY seq LIMIT ?", (after_seq, limit)
        )
    else:
        found = f"{_EVENTS} WHERE body ->> 'id' = ? AND seq > ? LIMIT ?"
        rows = connection.execute(found, (decision_id, after_seq, limit))
    return [stored_members(body, claims, event_hash) for body, claims, event_hash in rows]


def _spent(connection: apsw.Connection, spends: Sequence[Spend], now: float) -> set[bytes]:
    """Tell which of these keys were spent before.

    A spend counts for as long as it has not expired, and against its own token for ever: the clock
    may have been set since the token was judged.
    """
    spent: set[bytes] = set()
    for chunk in _chunks(spends):
        ends = {spend.key: min(now, spend.expires_at) for spend in chunk}
        rows = connection.execute(_SPENT[len(chunk)], [spend.key for spend in chunk])
        spent.update(key for key, expires_at in rows if expires_at >= ends[key])
    return spent


def _prune(connection: apsw.Connection, now: float, limit: int) -> None:
    """Forget spends whose minute is over, and remember up to when."""
    ends = [expires_at for (expires_at,) in connection.execute(_PRUNE, (int(now), limit))]
    if ends:
        connection.execute(_FORGET, (max(ends),))


def _insert_spends(connection: apsw.Connection, spends: Sequence[Spend]) -> None:
    for chunk in _chunks(spends):
        bindings = [value for spend in chunk for value in (spend.key, spend.expires_at)]
        connection.execute(_SPEND[len(chunk)], bindings)


def _insert_events(connection: apsw.Connection, events: Sequence[ChainedEvent]) -> None:
    for chunk in _chunks(events):
        bindings = [
            value
            for event in chunk
            for value in (event.sequence, event.covered, event.event.claims, event.hash)
        ]
        connection.execute(_APPEND[len(chunk)], bindings)


def _chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Divide rows into as few parts as there are statements for."""
    begin = 0
    for size in _CHUNKS:
        while len(rows) - begin >= size:
            yield rows[begin : begin + size]
            begin += size
