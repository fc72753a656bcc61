"""Letting go of old events behind a signed beginning, and of the policy sets that none names."""

from collections.abc import Sequence
from typing import Any, Final

import apsw

from broker.core.audit_chain import Position
from broker.stores.sqlite_file import transaction

_IS_LAST_PRUNED: Final = """
SELECT EXISTS (SELECT 1 FROM events WHERE seq = ?1 AND hash = ?2)
   AND EXISTS (SELECT 1 FROM events WHERE seq > ?1)
"""
_KEEP_BEGINNING: Final = "INSERT OR REPLACE INTO audit_beginning VALUES (1, ?)"
_PRUNE: Final = "DELETE FROM events WHERE seq <= ?"

_KEPT: Final = "SELECT version, ran FROM policy_sets ORDER BY ran DESC LIMIT -1 OFFSET ?"
_NAMED: Final = "SELECT DISTINCT body ->> 'policy_set' FROM events"
# A set that came into force anew since it was looked at has another number.
_FORGET: Final = "DELETE FROM policy_sets WHERE version = ? AND ran = ?"


def prune(connection: apsw.Connection, last: Position, beginning: str) -> int:
    """Delete the events up to one that has events behind it; tell how many."""
    with transaction(connection):
        is_there = connection.execute(_IS_LAST_PRUNED, (last.sequence, last.hash)).get
        if not is_there:
            return 0
        connection.execute(_KEEP_BEGINNING, (beginning,))
        connection.execute(_PRUNE, (last.sequence,))
        return connection.changes()


def unnamed(connection: apsw.Connection, keep: int) -> list[tuple[str, int]]:
    """List the kept sets, beside the last ones, that no event names."""
    kept: list[tuple[Any, ...]] = connection.execute(_KEPT, (keep,)).fetchall()
    if not kept:
        return []
    # One walk over all events; it holds up nobody.
    named = {version for (version,) in connection.execute(_NAMED)}
    return [(str(version), int(ran)) for version, ran in kept if version not in named]


def forget(connection: apsw.Connection, sets: Sequence[tuple[str, int]]) -> int:
    """Delete these sets unless they came into force anew; tell how many."""
    with transaction(connection):
        before = connection.total_changes()
        connection.executemany(_FORGET, sets)
        return connection.total_changes() - before
