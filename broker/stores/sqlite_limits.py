"""The shared counts of rate limits, in a second SQLite file beside the store.

They change far more often than anything else and need not outlive a crash of the machine, so
nothing here waits for the disk, and no exchange waits for a count to be written (decision 0013).
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import apsw

from broker.core.errors import Reason, Unavailable
from broker.core.limits import Total, added
from broker.ports import CountReport, SharedTotals
from broker.stores.sqlite_file import file_identity, require_same_file, transaction

SUFFIX: Final = "-limits"
BUSY_TRIES: Final = 500
"""So often, a millisecond apart, is tried what another process holds locked."""

ALIVE_SECONDS: Final = 5.0
"""A process counts for so long after it was last heard of."""

PRUNED_EVERY_SECONDS: Final = 60.0
MAX_ROWS: Final = 200_000

_BUSY_PAUSE_SECONDS: Final = 0.001

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS windows (
    key BLOB PRIMARY KEY,
    started REAL NOT NULL,
    seconds INTEGER NOT NULL,
    requests INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS processes (
    id BLOB PRIMARY KEY,
    seen REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""
_FIND: Final = "SELECT started, requests FROM windows WHERE key = ?"
_PUT: Final = "INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?)"
_SEEN: Final = "INSERT OR REPLACE INTO processes VALUES (?, ?)"
_ALIVE: Final = "SELECT count(*) FROM processes WHERE abs(seen - ?) < ?"
_GONE: Final = "DELETE FROM processes WHERE abs(seen - ?) >= ?"
_LEFT: Final = "DELETE FROM processes WHERE id = ?"
_ENDED: Final = "DELETE FROM windows WHERE abs(started - ?) >= seconds"
_TOO_MANY: Final = """
DELETE FROM windows WHERE key IN (
    SELECT key FROM windows ORDER BY started
    LIMIT max(0, (SELECT count(*) FROM windows) - ?)
)
"""


class SqliteLimits:
    """Counts of all processes of one store; implements the port `SharedCounts`.

    A file that is gone is made anew, as is a damaged one: its counts begin at nothing.
    """

    def __init__(self, store: Path) -> None:
        """`store` is the file of the store; nothing is opened before the first count."""
        self._path = store.with_name(store.name + SUFFIX)
        self._id = os.urandom(8)
        self._connection: apsw.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._pruned_at = float("-inf")
        # One thread: a connection is used by one at a time, and nobody else waits for the file.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-limits")

    async def share(self, reports: Sequence[CountReport], now: float) -> SharedTotals:
        """Add what was counted, and say that this process lives. Raises `Unavailable`."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._share, reports, now)
        except (apsw.Error, OSError) as error:
            message = f"the counts cannot be shared: {type(error).__name__}: {error}"
            raise Unavailable(Reason.STORE_UNAVAILABLE, message) from None

    async def close(self) -> None:
        """Say that this process is gone, and let go of the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._leave)
        self._thread.shutdown()

    # Everything below runs in the thread.

    def _share(self, reports: Sequence[CountReport], now: float) -> SharedTotals:
        try:
            return self._write(self._opened(), reports, now)
        except apsw.Error as error:
            self._let_go()
            if isinstance(error, apsw.CorruptError | apsw.NotADBError):
                self._delete()
            raise

    def _write(
        self, connection: apsw.Connection, reports: Sequence[CountReport], now: float
    ) -> SharedTotals:
        with transaction(connection):
            connection.execute(_SEEN, (self._id, now))
            totals = [_add(connection, report, now) for report in reports]
            if not 0 <= now - self._pruned_at < PRUNED_EVERY_SECONDS:
                connection.execute(_ENDED, (now,))
                connection.execute(_TOO_MANY, (MAX_ROWS,))
                connection.execute(_GONE, (now, ALIVE_SECONDS))
                self._pruned_at = now
            [(alive,)] = connection.execute(_ALIVE, (now, ALIVE_SECONDS))
        return SharedTotals(totals, alive)

    def _opened(self) -> apsw.Connection:
        if self._connection is not None:
            with contextlib.suppress(apsw.CantOpenError):
                require_same_file(self._path, self._file)
                return self._connection
            self._let_go()
        # Who may read it is told by its mode before anything is in it.
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = apsw.Connection(str(self._path.absolute()), flags=apsw.SQLITE_OPEN_READWRITE)
        self._connection, self._file = connection, file_identity(self._path)
        connection.set_busy_handler(_wait_for_the_other)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "off")
        with transaction(connection):
            connection.execute(_TABLES)
        return connection

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _delete(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _leave(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(apsw.Error):
                self._connection.execute(_LEFT, (self._id,))
        self._let_go()


def _wait_for_the_other(calls: int) -> bool:
    time.sleep(_BUSY_PAUSE_SECONDS)
    return calls < BUSY_TRIES


def _add(connection: apsw.Connection, report: CountReport, now: float) -> Total:
    found = connection.execute(_FIND, (report.key,)).fetchone()
    total = added(None if found is None else Total(*found), report.own, report.rate, now)
    connection.execute(_PUT, (report.key, total.started, report.rate.seconds, total.requests))
    return total
