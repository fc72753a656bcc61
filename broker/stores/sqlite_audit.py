"""Reading the audit events: searches, and the chain as it lies there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import apsw

from broker.core.audit import rfc3339
from broker.core.audit_chain import Position, StoredEvent
from broker.ports import ChainPage, EventFilter

# As bytes: a text that was damaged may be no UTF-8 any more, and is to be found, not to fail.
_COLUMNS: Final = "seq, CAST(body AS BLOB), CAST(claims AS BLOB), CAST(hash AS BLOB)"
_PAGE: Final = f"SELECT {_COLUMNS} FROM events WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 — only constants
_BEGINNING: Final = "SELECT jws FROM audit_beginning"
_END: Final = "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1"

# The expressions are those of the indexes, to the letter.
_CONDITIONS: Final = {
    "decision_id": "body ->> 'id' = ?",
    "service_account": "body ->> 'service_account' = ?",
    "issuer": "body ->> 'issuer' = ?",
    "type": "body ->> 'type' = ?",
    "outcome": "body ->> 'outcome' = ?",
    "reason": "body ->> 'reason' = ?",
    "policy": "EXISTS (SELECT 1 FROM json_each(body, '$.policies') WHERE value = ?)",
}


@dataclass(frozen=True, slots=True)
class EventQuery:
    """A search, ready to run."""

    wanted: EventFilter
    after: int
    before: int | None
    newest_first: bool
    limit: int

    def run(self, connection: apsw.Connection) -> list[StoredEvent]:
        """Find the events."""
        conditions, values = zip(*self._conditions(), strict=True)
        order = "DESC" if self.newest_first else "ASC"
        query = (
            f"SELECT {_COLUMNS} FROM events WHERE {' AND '.join(conditions)}"  # noqa: S608 — only constants
            f" ORDER BY seq {order} LIMIT ?"
        )
        return _events(connection.execute(query, (*values, self.limit)))

    def _conditions(self) -> Iterator[tuple[str, Any]]:
        yield "seq > ?", self.after
        if self.before is not None:
            yield "seq < ?", self.before
        for name, condition in _CONDITIONS.items():
            value = getattr(self.wanted, name)
            if value is not None:
                yield condition, value
        # Times are texts of one form, so that they sort as what they mean.
        if self.wanted.since is not None:
            yield "body ->> 'time' >= ?", rfc3339(self.wanted.since)
        if self.wanted.until is not None:
            yield "body ->> 'time' < ?", rfc3339(self.wanted.until)


def page(connection: apsw.Connection, after: int, limit: int) -> ChainPage:
    """Read a part of the chain together with its signed beginning, in one snapshot."""
    connection.execute("BEGIN")
    try:
        row = connection.execute(_BEGINNING).fetchone()
        events = _events(connection.execute(_PAGE, (after, limit)))
    finally:
        connection.execute("ROLLBACK")
    return ChainPage(None if row is None else row[0], tuple(events))


def end(connection: apsw.Connection) -> Position | None:
    """Find the last event."""
    row = connection.execute(_END).fetchone()
    return None if row is None else Position(*row)


def _events(rows: apsw.Cursor) -> list[StoredEvent]:
    return [StoredEvent(row[0], *map(_text, row[1:])) for row in rows]


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
