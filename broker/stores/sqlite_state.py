"""The state epoch and the sealed rows, which all processes of one store share."""

import json
import logging
from collections.abc import Sequence

import apsw

from broker.core.vocabulary import MAX_LEEWAY
from broker.ports.contents import EPOCH_LEAP
from broker.stores.sqlite_file import transaction

logger = logging.getLogger(__name__)

_IS_BACKUP = "SELECT is_backup FROM state"
_TAKE_INTO_USE = """
UPDATE state SET is_backup = 0, epoch = epoch + ?, refused_until = max(refused_until, ?)
WHERE is_backup = 1
"""


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


def find_sealed_rows(connection: apsw.Connection, names: Sequence[str]) -> dict[str, bytes]:
    """Find the contents of some sealed rows by name."""
    wanted = "SELECT name, content FROM sealed WHERE name IN (SELECT value FROM json_each(?))"
    return dict(connection.execute(wanted, (json.dumps(names),)))


def add_sealed(connection: apsw.Connection, name: str, content: bytes) -> bool:
    """Insert a sealed row unless there is one of this name; tell whether it was inserted."""
    with transaction(connection):
        connection.execute("INSERT OR IGNORE INTO sealed VALUES (?, ?)", (name, content))
        return connection.changes() == 1


def replace_sealed(connection: apsw.Connection, name: str, before: bytes, content: bytes) -> bool:
    """Replace a sealed row whose content is still the one given; tell whether it was replaced."""
    statement = "UPDATE sealed SET content = ?3 WHERE name = ?1 AND content = ?2"
    with transaction(connection):
        connection.execute(statement, (name, before, content))
        return connection.changes() == 1


def put_sealed(connection: apsw.Connection, name: str, content: bytes) -> None:
    """Insert or replace a sealed row, in a transaction that the caller began."""
    connection.execute("INSERT OR REPLACE INTO sealed VALUES (?, ?)", (name, content))
    raise_epoch(connection)


def take_into_use(connection: apsw.Connection, now: float) -> None:
    """Let a backup that is opened as it is know nothing of what was used since, and say so.

    Tokens for one use that were issued before `now`, in seconds since the epoch, are refused, by
    the clock of whoever issued them: it may be ahead by as much as a broker may ever bear.
    """
    try:
        row = connection.execute(_IS_BACKUP).fetchone()
    except apsw.CorruptError:
        # Every commit reads the same row, and refuses then.
        return
    if row is None or not row[0]:
        return
    with transaction(connection):
        connection.execute(_TAKE_INTO_USE, (EPOCH_LEAP, int(now) + MAX_LEEWAY))
    logger.warning(
        "the store is a backup: tokens for one use that were issued up to %d seconds from now are"
        " refused",
        MAX_LEEWAY,
    )
