"""The state epoch and the sealed rows, which all processes of one store share."""

import apsw

from broker.stores.sqlite_file import transaction


def read_epoch(connection: apsw.Connection) -> int:
    """Read how often what decides has changed."""
    row = connection.execute("SELECT epoch FROM state").fetchone()
    # Without its row, nothing could tell the processes of a change.
    if row is None:
        raise apsw.CorruptError("the state has no epoch")
    epoch: int = row[0]
    return epoch


def raise_epoch(connection: apsw.Connection) -> None:
    """Tell every process of a change; called in the transaction that makes the change."""
    connection.execute("UPDATE state SET epoch = epoch + 1")


def find_sealed(connection: apsw.Connection, name: str) -> bytes | None:
    """Find the content of a sealed row."""
    row = connection.execute("SELECT content FROM sealed WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def add_sealed(connection: apsw.Connection, name: str, content: bytes) -> bool:
    """Insert a sealed row unless there is one of this name; tell whether it was inserted."""
    with transaction(connection):
        connection.execute("INSERT OR IGNORE INTO sealed VALUES (?, ?)", (name, content))
        return connection.changes() == 1
