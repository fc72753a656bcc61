"""The rows of the broker's own signing keys."""

import apsw

from broker.core.signing_keys import SigningSchedule
from broker.ports import SigningKeyChange, SigningKeyRow
from broker.stores.sqlite_state import raise_epoch, read_epoch

_TAKEN = "SELECT key_id FROM signing_keys WHERE algorithm = ? AND generation = ?"
_PUT = """
INSERT INTO signing_keys (algorithm, generation, key_id,
    publish_at, sign_from, sign_until, remove_at, wrapped)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (algorithm, generation) DO UPDATE SET publish_at = excluded.publish_at,
    sign_from = excluded.sign_from, sign_until = excluded.sign_until,
    remove_at = excluded.remove_at, wrapped = excluded.wrapped
"""
_REMOVE = "DELETE FROM signing_keys WHERE algorithm = ? AND generation = ? AND key_id = ?"


def read(connection: apsw.Connection) -> list[SigningKeyRow]:
    """List every row, the oldest generation first."""
    rows = connection.execute("""
        SELECT key_id, algorithm, generation,
            publish_at, sign_from, sign_until, remove_at, wrapped
        FROM signing_keys ORDER BY generation, algorithm
    """)
    return [
        SigningKeyRow(key_id, algorithm, generation, SigningSchedule(*schedule), wrapped)
        for key_id, algorithm, generation, *schedule, wrapped in rows
    ]


def change(connection: apsw.Connection, planned: SigningKeyChange) -> bool:
    """Make a change within a transaction; False, and nothing written, when it no longer fits."""
    fits = all(_is_free_for(connection, row) for row in planned.put)
    if read_epoch(connection) != planned.epoch or not fits:
        return False
    for row in planned.removed:
        connection.execute(_REMOVE, (row.algorithm, row.generation, row.key_id))
    for row in planned.put:
        put(connection, row)
    raise_epoch(connection)
    return True


def put(connection: apsw.Connection, row: SigningKeyRow) -> None:
    """Insert a row, or replace the one that has its place."""
    times = row.schedule
    bindings = (
        row.algorithm,
        row.generation,
        row.key_id,
        times.publish_at,
        times.sign_from,
        times.sign_until,
        times.remove_at,
        row.wrapped,
    )
    connection.execute(_PUT, bindings)


def _is_free_for(connection: apsw.Connection, row: SigningKeyRow) -> bool:
    taken = connection.execute(_TAKEN, (row.algorithm, row.generation)).fetchone()
    return taken is None or taken[0] == row.key_id
