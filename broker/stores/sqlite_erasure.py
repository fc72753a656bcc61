"""Erasing the claims of events; their digest stays in what the hash covers."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import apsw

from broker.core.audit import rfc3339
from broker.ports import ClaimsFilter
from broker.stores.sqlite_file import transaction

# Erased claims are an empty text (`broker.core.audit.ERASED`), which is no JSON.
_HAS_CLAIMS: Final = "claims NOT IN ('', 'null')"
# In one expression, because SQLite chooses the order of conditions. What is no text in a token is
# compared by how it is written.
_HAS_CLAIM: Final = """
CASE claims WHEN '' THEN 0 ELSE EXISTS
    (SELECT 1 FROM json_each(events.claims) WHERE key = ? AND CAST(value AS TEXT) = ?)
END
"""
_ERASE: Final = "UPDATE events SET claims = '' WHERE seq = ? AND claims <> ''"


def find(connection: apsw.Connection, wanted: ClaimsFilter) -> list[int]:
    """Name the events whose claims are meant and not erased yet."""
    conditions, values = zip(*_conditions(wanted), strict=True)
    query = f"SELECT seq FROM events WHERE {' AND '.join(conditions)} ORDER BY seq"  # noqa: S608 — only constants
    bindings = [value for each in values for value in each]
    return [sequence for (sequence,) in connection.execute(query, bindings)]


def erase(connection: apsw.Connection, sequences: Sequence[int]) -> int:
    """Erase the claims of events; with none, empty the write-ahead log unless somebody reads."""
    if not sequences:
        _empty_log(connection)
        return 0
    # Otherwise the old text would stay in the file until its place is used again.
    connection.pragma("secure_delete", "on")
    with transaction(connection):
        before = connection.total_changes()
        connection.executemany(_ERASE, [(sequence,) for sequence in sequences])
        return connection.total_changes() - before


def rewrite(connection: apsw.Connection) -> None:
    """Write the file anew: a page that was split before may hold a copy of what was erased."""
    connection.execute("VACUUM")
    _empty_log(connection)


def _empty_log(connection: apsw.Connection) -> None:
    with suppress(apsw.BusyError):  # somebody reads; what is in the log is overwritten later
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _conditions(wanted: ClaimsFilter) -> Iterator[tuple[str, tuple[Any, ...]]]:
    yield _HAS_CLAIMS, ()
    if wanted.decision_id is not None:
        yield "body ->> 'id' = ?", (wanted.decision_id,)
    if wanted.before is not None:
        yield "body ->> 'time' < ?", (rfc3339(wanted.before),)
    if wanted.claim is not None:
        yield _HAS_CLAIM, wanted.claim
