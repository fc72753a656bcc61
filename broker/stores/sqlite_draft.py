"""Writing a whole store into a new SQLite file, which takes its name once all of it is there.

What is written is a draft beside the file: SQLite takes it for no store of ours, and a broker says
what it is. A process that is killed leaves the draft, which the next one removes.
"""

import contextlib
import fcntl
import glob
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import apsw

from broker.ports.contents import PARTS, Part, Row, StoreState
from broker.stores.sqlite_contents import SqliteContents, is_alone, plainly
from broker.stores.sqlite_file import (
    APPLICATION_ID,
    DRAFT_ID,
    bring_up_to_date,
    create_file,
    unusable,
)
from broker.stores.sqlite_limits import SUFFIX as LIMITS

_CACHE_KIB: Final = 64 * 1024
_BESIDE: Final = ("-wal", "-shm", "-journal")


class SqliteDraft:
    """Writes a store; implements the port `ContentsWriting`."""

    def __init__(
        self, path: Path, *, replace: bool = False, as_backup: bool = False, needed: int = 0
    ) -> None:
        """`replace` lets it take the place of another file, or of a store that nobody has open.

        `as_backup` marks it as one that goes on without its source; about `needed` bytes have to be
        free.
        """
        self._path = path
        self._replace = replace
        self._as_backup = as_backup
        self._needed = needed
        self._draft: Path | None = None
        self._lock: int | None = None
        self._connection: apsw.Connection | None = None
        self._indexes: list[str] = []

    async def begin(self) -> None:
        """Begin, or begin again, with an empty draft. Raises `ConfigurationError`."""
        await self.abandon()
        self._require_free()
        try:
            self._make_draft()
        except OSError as error:
            raise unusable(self._path, f"cannot be created: {error.strerror}") from None
        self._require_room()
        with plainly(self._path):
            self._connection = self._opened()

    async def put(self, part: Part, rows: Sequence[Row]) -> None:
        """Write rows. Raises `ConfigurationError`."""
        places = ", ".join("?" * len(part.columns))
        statement = f"INSERT INTO {part.name} ({', '.join(part.columns)}) VALUES ({places})"  # noqa: S608 — only constants
        connection = self._writing()
        with plainly(self._path):
            connection.execute("BEGIN")
            connection.executemany(statement, rows)
            connection.execute("COMMIT")

    async def complete(self, state: StoreState) -> None:
        """Write the state, and make the indexes. Raises `ConfigurationError`."""
        connection = self._writing()
        with plainly(self._path):
            for statement in self._indexes:
                connection.execute(statement)
            connection.execute(
                "UPDATE state SET epoch = ?, forgotten_until = ?, revocations_forgotten_until = ?,"
                " refused_until = ?, is_backup = ?",
                (
                    state.epoch,
                    state.forgotten_until,
                    state.revocations_forgotten_until,
                    state.refused_until,
                    self._as_backup,
                ),
            )
            if state.beginning is not None:
                insert = "INSERT INTO audit_beginning (only, jws) VALUES (1, ?)"
                connection.execute(insert, (state.beginning,))
            connection.close()
        self._connection = None

    def reading(self) -> SqliteContents:
        """Read the draft."""
        return SqliteContents(self._draft or self._path, draft=True)

    async def publish(self, refused_until: int = 0) -> None:
        """Let the draft take its name, durably. Raises `ConfigurationError`."""
        draft = self._draft
        if draft is None:
            raise unusable(self._path, "was not written")
        with plainly(self._path):
            connection = apsw.Connection(str(draft), flags=apsw.SQLITE_OPEN_READWRITE)
            try:
                connection.pragma("journal_mode", "off")
                connection.execute(
                    "UPDATE state SET refused_until = max(refused_until, ?)", (refused_until,)
                )
                connection.pragma("application_id", APPLICATION_ID)
            finally:
                connection.close()
        try:
            _sync(draft)
            self._require_free()
            # What lies beside a file that was there belongs to that one, and would be read as if it
            # were the new one's.
            for suffix in _BESIDE:
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            draft.replace(self._path)
            _sync(self._path.parent)
        except OSError as error:
            raise unusable(self._path, f"cannot be created: {error.strerror}") from None
        self._draft = None
        self._let_go()

    async def abandon(self) -> None:
        """Remove the draft, unless it was published."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        draft, self._draft = self._draft, None
        if draft is not None:
            draft.unlink(missing_ok=True)
        self._let_go()

    def _require_free(self) -> None:
        """Raise `ConfigurationError` when another file has the name, or is in use."""
        if self._path.name.endswith((*_BESIDE, LIMITS)):
            # A broker that runs would go on writing to a file that has no name any more.
            raise unusable(
                self._path,
                "would have the name of what lies beside another one: name another file",
            )
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return
        except OSError as error:
            raise unusable(self._path, f"cannot be created: {error.strerror}") from None
        if not self._path.is_file():
            raise unusable(self._path, "cannot be written: there is something that is no file")
        if size == 0:
            return
        if self._as_backup and not self._replace:
            raise unusable(self._path, "would be written over: name another file, or add --force")
        if not self._as_backup:
            _require_store(self._path)
        if not is_alone(self._path):
            raise unusable(self._path, "is in use: stop every broker of it first")
        if not self._replace and not _is_empty(self._path):
            raise unusable(
                self._path,
                "holds a store already: name another place, or end that store with --replace",
            )

    def _require_room(self) -> None:
        free = shutil.disk_usage(self._path.parent).free
        if free < self._needed:
            megabytes = 1_000_000
            raise unusable(
                self._path,
                f"needs about {self._needed / megabytes:,.0f} MB, and there are"
                f" {free / megabytes:,.0f} MB free",
            )

    def _make_draft(self) -> None:
        for left in self._path.parent.glob(f".{glob.escape(self._path.name)}.*.draft"):
            _remove_if_left(left)
        draft = self._path.with_name(f".{self._path.name}.{os.urandom(6).hex()}.draft")
        create_file(draft)
        self._draft = draft
        # NOTE: of another kind than the locks that SQLite takes, so that to close it ends none.
        self._lock = os.open(draft, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def _opened(self) -> apsw.Connection:
        draft = self._draft
        connection = apsw.Connection(str(draft), flags=apsw.SQLITE_OPEN_READWRITE)
        # Nobody needs a half of it after a crash, so nothing is kept to undo.
        connection.pragma("journal_mode", "off")
        connection.pragma("synchronous", "off")
        connection.pragma("locking_mode", "exclusive")
        connection.pragma("cache_size", -_CACHE_KIB)
        bring_up_to_date(connection, self._path)
        connection.pragma("application_id", DRAFT_ID)
        # Made anew when all rows are there, which takes a fraction of the time.
        found = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in found:
            connection.execute(f"DROP INDEX {name}")
        self._indexes = [str(statement) for _, statement in found]
        return connection

    def _writing(self) -> apsw.Connection:
        if self._connection is None:
            raise unusable(self._path, "was not begun")
        return self._connection

    def _let_go(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def _require_store(path: Path) -> None:
    """Raise `ConfigurationError` for a file of anything else; a store may be damaged."""
    with plainly(path):
        connection = apsw.Connection(str(path.absolute()), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            marked = connection.pragma("application_id") in {APPLICATION_ID, DRAFT_ID}
        finally:
            connection.close()
    if not marked:
        raise unusable(path, "is a database of another program: name another file under `store`")


def _is_empty(path: Path) -> bool:
    """Tell whether a store has no rows."""
    with plainly(path):
        connection = apsw.Connection(str(path.absolute()), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
            return not any(
                connection.execute(f"SELECT 1 FROM {part.name} LIMIT 1").fetchone()  # noqa: S608 — only constants
                for part in PARTS
                if part.name in tables
            )
        finally:
            connection.close()


def _remove_if_left(draft: Path) -> None:
    """Remove the draft of a process that has ended without doing so."""
    with contextlib.suppress(OSError):
        # Somebody else may have put a pipe there, which is not waited for.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(draft, flags)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.unlink()
        finally:
            os.close(descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
