"""One transaction that appends a batch to the ledger: spends and chained events together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import apsw

from broker.core.audit import GENESIS, AuditEvent, ChainedEvent, SerializedEvent, stored_members
from broker.ports import Entry, Spend
from broker.stores.sqlite_file import APPLICATION_ID, transaction
from broker.stores.sqlite_state import read_epoch

# Each append prunes more expired spends than it can add new ones, so that they do not pile up.
_PRUNED_BESIDES: Final = 16

_HEAD: Final = "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1"
_SPEND: Final = """
INSERT INTO spends (key, expires_at) VALUES (?1, ?2)
ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at WHERE spends.expires_at < ?3
"""
_PRUNE: Final = """
DELETE FROM spends WHERE key IN
    (SELECT key FROM spends WHERE expires_at < ? ORDER BY expires_at LIMIT ?)
"""
_APPEND: Final = "INSERT INTO events (seq, body, claims, hash) VALUES (?, ?, ?, ?)"
# A token's id and that of its event are drawn at one instant and begin with the same milliseconds,
# so that the index on the events' ids finds the token as well.
_ISSUED: Final = """
SELECT 1 FROM events
WHERE body ->> 'id' >= ?1 AND body ->> 'id' < ?1 || 'g' AND body ->> 'token_id' = ?2
"""
_INSTANT_LENGTH: Final = len("xxxxxxxx-xxxx")
_EVENTS: Final = "SELECT body, claims, hash FROM events"


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """An entry that waits for its batch, its event already written out as JSON."""

    event: SerializedEvent
    spend: Spend | None
    event_if_spent: AuditEvent
    epoch: int | None

    @classmethod
    def of(cls, entry: Entry) -> "PendingEntry":
        """Prepare an entry. Raises `ValueError` for a spend without an event if it was spent."""
        if entry.spend is not None and entry.event_if_spent is None:
            raise ValueError("an entry with a spend needs an event_if_spent")
        event = SerializedEvent.of(entry.event)
        return cls(event, entry.spend, entry.event_if_spent or entry.event, entry.epoch)


@dataclass(frozen=True, slots=True)
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
        connection.execute(_PRUNE, (now, 2 * len(pending) + _PRUNED_BESIDES))
        sequence, prev = connection.execute(_HEAD).fetchone() or (0, GENESIS)
        epoch = read_epoch(connection)
        appended: list[Appended | None] = []
        for entry in pending:
            if entry.epoch not in (None, epoch):
                appended.append(None)
                continue
            already_spent = entry.spend is not None and not _spend(connection, entry.spend, now)
            # The event of a refusal is written out only here: hardly any entry needs it.
            event = SerializedEvent.of(entry.event_if_spent) if already_spent else entry.event
            chained = event.at(sequence + 1, prev)
            appended.append(Appended(chained, already_spent))
            sequence, prev = chained.sequence, chained.hash
        connection.executemany(_APPEND, [_row(each.event) for each in appended if each])
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


def token_was_issued(connection: apsw.Connection, token_id: str) -> bool:
    """Tell whether an event names this token."""
    bindings = (token_id[:_INSTANT_LENGTH], token_id)
    return connection.execute(_ISSUED, bindings).fetchone() is not None


def _spend(connection: apsw.Connection, spend: Spend, now: float) -> bool:
    """Spend a key; tell whether it was free."""
    connection.execute(_SPEND, (spend.key, spend.expires_at, now))
    return connection.changes() == 1


def _row(event: ChainedEvent) -> tuple[int, str, str, str]:
    return event.sequence, event.covered, event.event.claims, event.hash
