"""The rows of the broker's own signing keys."""

import apsw

from broker.core.signing_keys import SigningSchedule
from broker.ports import SigningKeyRow
from broker.stores.sqlite_file import transaction
from broker.stores.sqlite_state import raise_epoch


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


def add(connection: apsw.Connection, row: SigningKeyRow) -> bool:
    """Insert a row unless its algorithm and generation exist; tell whether it was inserted."""
    schedule = row.schedule
    with transaction(connection):
        connection.execute(
            """
            INSERT INTO signing_keys (key_id, algorithm, generation,
                publish_at, sign_from, sign_until, remove_at, wrapped)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (algorithm, generation) DO NOTHING
            """,
            (
                row.key_id,
                row.algorithm,
                row.generation,
                schedule.publish_at,
                schedule.sign_from,
                schedule.sign_until,
                schedule.remove_at,
                row.wrapped,
            ),
        )
        added = connection.changes() == 1
        if added:
            raise_epoch(connection)
        return added
