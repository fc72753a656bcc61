"""Reading the audit events in the order of their chain, and the chain as it lies there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import apsw

from broker.core.audit import rfc3339
from broker.core.audit_chain import Position, StoredEvent
from broker.ports import ChainPage, EventFilter

# As bytes: a text that was damaged may be no UTF-8 any more, and is to be found, not to fail.
COLUMNS: Final = "seq, CAST(body AS BLOB), CAST(claims AS BLOB), CAST(hash AS BLOB)"
_PAGE: Final = f"SELECT {COLUMNS} FROM events WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 — only constants
_BEGINNING: Final = "SELECT jws FROM audit_beginning"
_END: Final = "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1"

# The expressions are those of the indexes, to the letter.
_CONDITIONS: Final = {
    "decision_id": "body ->> 'id' = ?",
    "service_account": "body ->> 'service_account' = ?",
    "sub": "body ->> 'sub' = ?",
    "issuer": "body ->> 'issuer' = ?",
    "type": "body ->> 'type' = ?",
    "outcome": "body ->> 'outcome' = ?",
    "reason": "body ->> 'reason' = ?",
    "policy": "EXISTS (SELECT 1 FROM json_each(body, '$.policies') WHERE value = ?)",
}
_OF_ACCOUNTS: Final = "body ->> 'service_account' IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class EventQuery:
    """A walk over the events behind one, oldest first, ready to run."""

    wanted: EventFilter
    after: int
    limit: int

    def run(self, connection: apsw.Connection) -> list[StoredEvent]:
        """Find the events."""
        facts = ["seq > ?"]
        values: list[Any] = [self.after]
        for fact, value in conditions(self.wanted):
            facts.append(fact)
            values.append(value)
        query = (
            f"SELECT {COLUMNS} FROM events WHERE {' AND '.join(facts)}"  # noqa: S608 — only constants
            " ORDER BY seq LIMIT ?"
        )
        return stored_events(connection.execute(query, (*values, self.limit)))


def conditions(wanted: EventFilter) -> Iterator[tuple[str, Any]]:
    """Give what has to hold of an event as SQL, each condition with its value."""
    for name, condition in _CONDITIONS.items():
        value = getattr(wanted, name)
        if value is not None:
            yield condition, value
    if wanted.service_accounts is not None:
        yield _OF_ACCOUNTS, json.dumps(wanted.service_accounts)
    # Times are texts of one form, so that they sort as what they mean.
    if wanted.since is not None:
        yield "body ->> 'time' >= ?", rfc3339(wanted.since)
    if wanted.until is not None:
        yield "body ->> 'time' < ?", rfc3339(wanted.until)


def page(connection: apsw.Connection, after: int, limit: int) -> ChainPage:
    """Read a part of the chain together with its signed beginning, in one snapshot."""
    connection.execute("BEGIN")
    try:
        row = connection.execute(_BEGINNING).fetchone()
        events = stored_events(connection.execute(_PAGE, (after, limit)))
    finally:
        connection.execute("ROLLBACK")
    return ChainPage(None if row is None else row[0], tuple(events))


def end(connection: apsw.Connection) -> Position | None:
    """Find the last event."""
    row = connection.execute(_END).fetchone()
    return None if row is None else Position(*row)


def stored_events(rows: apsw.Cursor) -> list[StoredEvent]:
    """Read rows of `COLUMNS`."""
    return [StoredEvent(row[0], *map(_text, row[1:])) for row in rows]


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
