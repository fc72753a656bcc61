"""Reading a store in one SQLite file whole, in one snapshot, beside the processes that write to it.

SQLite is called from the event loop: a command that reads a whole store has nothing else to do.
"""

import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import apsw

from broker.core.audit_chain import START, Position
from broker.ports.contents import EVENTS, PARTS, Part, Row, StoreState
from broker.stores.sqlite_file import (
    DRAFT_ID,
    SCHEMA_VERSION,
    bring_up_to_date,
    explain,
    open_for_reading,
    schema_version,
    unusable,
)

OF_STATE: Final = frozenset({"state", "audit_beginning"})
"""Tables of which the state consists."""

LEFT_OUT: Final[Mapping[str, str]] = {}
"""Tables that are not copied, and why."""

TABLES: Final = frozenset(part.name for part in PARTS) | OF_STATE
"""What is copied."""

_STATE: Final = """
SELECT epoch, forgotten_until, revocations_forgotten_until, refused_until,
    (SELECT jws FROM audit_beginning),
    (SELECT min(seq) - 1 FROM events), (SELECT max(seq) FROM events),
    (SELECT hash FROM events ORDER BY seq DESC LIMIT 1)
FROM state
"""

# No broker makes anything of other kinds: triggers would run, and views go on without end.
_FOREIGN: Final = "SELECT 1 FROM sqlite_schema WHERE type NOT IN ('table', 'index') LIMIT 1"

_MAX_VALUE_BYTES: Final = 64 * 1024 * 1024
"""One value of a row; the largest are policy sets, of some megabytes."""

_MARKS: Final = """
SELECT epoch, (SELECT hash FROM events ORDER BY seq DESC LIMIT 1), is_backup FROM state
"""


class SqliteContents:
    """Reads a store; implements the port `ContentsReading`."""

    def __init__(self, path: Path, *, draft: bool = False) -> None:
        """A `draft` is one that was not published yet."""
        self._path = path
        self._draft = draft
        self._connection: apsw.Connection | None = None
        self._stack = contextlib.ExitStack()

    async def begin(self) -> StoreState:
        """Begin to read the store as it is now. Raises `ConfigurationError`."""
        await self.close()
        if not self._path.exists():
            raise unusable(self._path, "is not there")
        if not self._path.is_file():
            # A pipe would be waited for without end.
            raise unusable(self._path, "cannot be read: there is something that is no file")
        with plainly(self._path):
            self._connection = self._opened()
            self._connection.execute("BEGIN")
        return await self.state()

    async def rows(self, part: Part) -> AsyncIterator[Sequence[Row]]:
        """Read the rows of a part, some at a time. Raises `ConfigurationError`."""
        # The events are a chain; the others come as they lie there, used tokens by time.
        order = " ORDER BY seq" if part is EVENTS else ""
        query = f"SELECT {', '.join(part.columns)} FROM {part.name}{order}"  # noqa: S608 — only constants
        with plainly(self._path):
            found = self._reading().execute(query)
            while page := list(islice(found, part.rows_at_once)):
                yield page

    async def state(self) -> StoreState:
        """Give the state of the snapshot. Raises `ConfigurationError`."""
        with plainly(self._path):
            row = self._reading().execute(_STATE).fetchone()
        if row is None:
            raise unusable(self._path, "is damaged: restore a backup")
        epoch, forgotten, revocations, refused, beginning, before, last, event_hash = row
        return StoreState(
            epoch=epoch,
            end=START if last is None else Position(last, event_hash),
            pruned_to=before or 0,
            beginning=beginning,
            forgotten_until=forgotten,
            revocations_forgotten_until=revocations,
            refused_until=refused,
        )

    async def fault(self) -> str | None:
        """Have SQLite look at every page and every index; tell what it finds first."""
        with plainly(self._path):
            [(found,)] = self._reading().execute("PRAGMA integrity_check(1)")
        return None if found == "ok" else str(found)

    async def close(self) -> None:
        """Let go of the file, and of what was made beside it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        self._stack.close()

    def _reading(self) -> apsw.Connection:
        if self._connection is None:
            raise unusable(self._path, "is not open")
        return self._connection

    def _opened(self) -> apsw.Connection:
        connection = open_for_reading(self._path)
        try:
            if self._draft and connection.pragma("application_id") == DRAFT_ID:
                return connection
            if self._version(connection) == SCHEMA_VERSION:
                return connection
            file = self._copy_up_to_date(connection)
        except BaseException:
            connection.close()
            raise
        connection.close()
        return open_for_reading(file)

    def _version(self, connection: apsw.Connection) -> int:
        version = schema_version(connection, self._path)
        if version == 0:
            raise unusable(self._path, "is empty: there is no store in it")
        # A backup may have been in other hands: what it holds is read, and nothing in it runs.
        connection.limit(apsw.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
        if connection.execute(_FOREIGN).fetchone():
            raise unusable(self._path, "was altered: it has what no broker makes")
        return version

    def _copy_up_to_date(self, connection: apsw.Connection) -> Path:
        """Copy a store that an older version wrote, which is not to be changed itself."""
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="broker-store-"))
        file = Path(folder) / "store.db"
        connection.execute("VACUUM INTO ?", (str(file),))
        copy = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            bring_up_to_date(copy, file)
        finally:
            copy.close()
        return file


@contextlib.contextmanager
def plainly(path: Path) -> Iterator[None]:
    """Raise `ConfigurationError` with what is wrong in place of an error of SQLite's."""
    try:
        yield
    except apsw.CantOpenError:
        raise unusable(path, "cannot be opened: check that it is a file and its rights") from None
    except apsw.Error as error:
        raise unusable(path, explain(error)) from None
    except UnicodeDecodeError:
        raise unusable(path, "is damaged: restore a backup") from None


def is_alone(path: Path) -> bool:
    """Tell whether no other connection to a file is open, in this process or any other.

    Raises `ConfigurationError` for a file that cannot be opened.
    """
    with plainly(path):
        connection = apsw.Connection(str(path.absolute()), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.pragma("locking_mode", "exclusive")
            connection.execute("BEGIN EXCLUSIVE; ROLLBACK")
        except apsw.BusyError:
            return False
        except (apsw.NotADBError, apsw.CorruptError):
            # Whoever serves from it has noticed.
            return True
        finally:
            connection.close()
    return True


def marks_of(path: Path) -> tuple[int, str] | None:
    """Give the epoch and the hash of the last event; None of a backup, which knows no use since.

    Raises `ConfigurationError`, also for a store that an older version wrote.
    """
    with plainly(path):
        connection = open_for_reading(path)
        try:
            row = connection.execute(_MARKS).fetchone()
        finally:
            connection.close()
    if row is None:
        raise unusable(path, "is damaged: restore a backup")
    epoch, event_hash, is_backup = row
    return None if is_backup else (int(epoch), str(event_hash))
