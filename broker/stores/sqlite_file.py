"""The database file: opening or creating it, its schema, and how a transaction runs in it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import apsw

from broker.core.errors import ConfigurationError, Problem
from broker.stores.opening import NO_STORE

APPLICATION_ID: Final = 0x57494642  # marks the file as the broker's: "WIFB" in ASCII
DRAFT_ID: Final = 0x57494644
"""Marks a file that is being written and is no store before it is whole: "WIFD" in ASCII."""

BUSY_TIMEOUT_SECONDS: Final = 5.0
MAX_WAL_BYTES: Final = 64 * 1024 * 1024

_BUSY_PAUSE_SECONDS: Final = 0.001

# Events are indexed on the very text that their hash covers, so that no index can say other than
# that. The indexes are few because each costs on every exchange.
_FIRST_TABLES: Final = f"""
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    claims TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_id ON events (body ->> 'id');
CREATE INDEX events_by_service_account ON events (body ->> 'service_account')
    WHERE body ->> 'service_account' IS NOT NULL;
CREATE INDEX events_by_issuer ON events (body ->> 'issuer') WHERE body ->> 'issuer' IS NOT NULL;
CREATE INDEX events_by_reason ON events (body ->> 'reason') WHERE body ->> 'reason' IS NOT NULL;

CREATE TABLE spends (
    key BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX spends_by_expiry ON spends (expires_at);

CREATE TABLE signing_keys (
    algorithm TEXT NOT NULL,
    generation INTEGER NOT NULL,
    key_id TEXT NOT NULL UNIQUE,
    publish_at REAL NOT NULL,
    sign_from REAL NOT NULL,
    sign_until REAL,
    remove_at REAL,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (algorithm, generation)
) STRICT, WITHOUT ROWID;

PRAGMA application_id = {APPLICATION_ID};
"""

# `ran` counts the times that any set came into force, so that the largest is the last one's.
_POLICY_SETS: Final = """
CREATE TABLE policy_sets (
    version TEXT PRIMARY KEY,
    ran INTEGER NOT NULL,
    kept_at REAL NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX policy_sets_by_ran ON policy_sets (ran);
"""

_STATE: Final = """
CREATE TABLE state (epoch INTEGER NOT NULL) STRICT;
INSERT INTO state VALUES (1);

CREATE TABLE sealed (
    name TEXT PRIMARY KEY,
    content BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""

# One row at most: what the broker signed when it pruned last.
_AUDIT_BEGINNING: Final = """
CREATE TABLE audit_beginning (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    jws TEXT NOT NULL
) STRICT;
"""

# How far in time spends have been forgotten: up to the latest end of those that were pruned.
_FORGOTTEN: Final = "ALTER TABLE state ADD COLUMN forgotten_until INTEGER NOT NULL DEFAULT 0"

# Keys are random, so that those of one batch lie in as many pages, and each page is written twice.
# Here that is so of the keys alone: the table is in the order of time, as is the index for the most
# part, by minutes.
_SPENDS_IN_ORDER: Final = """
CREATE TABLE spends_in_order (
    key BLOB NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT;
INSERT INTO spends_in_order SELECT key, expires_at FROM spends ORDER BY expires_at;
DROP TABLE spends;
ALTER TABLE spends_in_order RENAME TO spends;
CREATE INDEX spends_by_expiry ON spends (expires_at / 60);
"""

# `kind` is `account`, or `override` for what is said beside the files of an account that they
# define. Rows of deleted accounts stay, so that an id is never given again. When something was last
# used decides nothing, and so has no seal.
_ACCOUNTS: Final = """
CREATE TABLE accounts (
    client_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    organization TEXT,
    deleted INTEGER NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (client_id, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX accounts_by_id ON accounts (kind, client_id) WHERE deleted = 0;
CREATE INDEX accounts_by_organization ON accounts (organization, deleted, client_id);

CREATE TABLE client_secrets (
    secret_id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    content BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX client_secrets_by_client ON client_secrets (client_id, secret_id);

CREATE TABLE last_uses (
    client_id TEXT NOT NULL,
    used TEXT NOT NULL,
    used_at REAL NOT NULL,
    PRIMARY KEY (client_id, used)
) STRICT, WITHOUT ROWID;
"""

# What most events have is left out, so that an exchange writes to neither.
_RARE_EVENTS: Final = """
CREATE INDEX events_by_type ON events (body ->> 'type')
    WHERE body ->> 'type' <> 'token.exchanged';
CREATE INDEX events_by_outcome ON events (body ->> 'outcome')
    WHERE body ->> 'outcome' <> 'success';
"""

# What was revoked, and how far in time that has been forgotten.
_REVOCATIONS: Final = """
CREATE TABLE revocations (
    token_id TEXT PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revocations_by_expiry ON revocations (expires_at);
ALTER TABLE state ADD COLUMN revocations_forgotten_until INTEGER NOT NULL DEFAULT 0;
"""

# Nothing that grants; what they say is read as JSON.
_BLOCKS: Final = """
CREATE TABLE blocks (
    block_id TEXT PRIMARY KEY,
    expires_at REAL,
    content TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

# Issuers of the files that an operator has switched off beside these.
_ISSUERS_OFF: Final = """
CREATE TABLE issuers_off (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
"""

# Up to which second of its issue what is for one use is refused, since uses may have been lost. And
# whether the file was taken from another store as a backup, which goes on without it.
_REFUSED: Final = """
ALTER TABLE state ADD COLUMN refused_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE state ADD COLUMN is_backup INTEGER NOT NULL DEFAULT 0;
"""

# What each version of the schema adds to the one before; a step that was published never changes.
_STEPS: Final = (
    _FIRST_TABLES,
    _POLICY_SETS,
    _STATE,
    _AUDIT_BEGINNING,
    _FORGOTTEN,
    _SPENDS_IN_ORDER,
    _ACCOUNTS,
    _RARE_EVENTS,
    _REVOCATIONS,
    _BLOCKS,
    _ISSUERS_OFF,
    _REFUSED,
)
SCHEMA_VERSION: Final = len(_STEPS)


def open_for_writing(path: Path, *, serving: bool = False) -> apsw.Connection:
    """Open the database, making the file (0600), its folders (0700) and its tables if need be.

    Who is `serving` from it already bears one that the next version has been started on. Raises
    `ConfigurationError` when the file cannot be used.
    """
    try:
        create_file(path)
        connection = apsw.Connection(str(path.absolute()), flags=apsw.SQLITE_OPEN_READWRITE)
    except OSError as error:
        raise unusable(path, f"cannot be created: {error.strerror}") from None
    except apsw.CantOpenError:
        raise unusable(path, "cannot be opened: check that it is a file and its rights") from None
    try:
        connection.set_busy_handler(_wait_for_the_other)
        # Before anything is changed: the file may be another program's.
        bring_up_to_date(connection, path, newest=SCHEMA_VERSION + serving)
        _configure(connection)
    except ConfigurationError:
        connection.close()
        raise
    except apsw.Error as error:
        connection.close()
        raise unusable(path, explain(error)) from None
    return connection


def open_for_reading(path: Path) -> apsw.Connection:
    """Open the existing database. Raises `apsw.Error`."""
    connection = apsw.Connection(str(path.absolute()), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(int(BUSY_TIMEOUT_SECONDS * 1000))
    return connection


def require_readable(path: Path) -> None:
    """Raise `ConfigurationError` unless the file is a store of this version that can be read."""
    if not path.exists():
        raise ConfigurationError([Problem(str(path), 0, 0, NO_STORE)])
    try:
        connection = open_for_reading(path)
        try:
            version = schema_version(connection, path)
        finally:
            connection.close()
    except apsw.CantOpenError:
        raise unusable(
            path, "cannot be opened: reading needs the rights of the broker's own user"
        ) from None
    except apsw.Error as error:
        raise unusable(path, explain(error)) from None
    if version < SCHEMA_VERSION:
        raise unusable(
            path,
            f"has schema {version}, this version reads {SCHEMA_VERSION}: start its broker once",
        )


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """Run the block in a transaction that is the only writer from its first statement on.

    A transaction that began by reading could not wait for another writer: it would fail at once.
    Within a transaction the block is part of that, which ends it.
    """
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def file_identity(path: Path) -> tuple[int, int] | None:
    """Tell which file is at a path now, None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def require_same_file(path: Path, identity: tuple[int, int] | None) -> None:
    """Raise `apsw.CantOpenError` unless the file at the path is still the one that was opened.

    SQLite goes on writing to a file that was deleted or replaced; what it then acknowledges is lost
    and spends would be kept in two places.
    """
    if identity is None or file_identity(path) != identity:
        raise apsw.CantOpenError("the database file was moved, deleted or replaced")


def create_file(path: Path) -> None:
    """Make a file (0600) and its folders (0700), unless it is there. Raises `OSError`."""
    missing = [folder for folder in path.absolute().parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    try:
        # NOTE: an existing file is not even opened here. Closing it again would release the locks
        # that another connection of this process holds on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return


def _configure(connection: apsw.Connection) -> None:
    _switch_to_wal(connection)
    connection.pragma("synchronous", "full")
    connection.pragma("fullfsync", "on")
    connection.pragma("journal_size_limit", MAX_WAL_BYTES)


def _wait_for_the_other(calls: int) -> bool:
    """Wait a moment for the process that is writing; tell whether to try once more.

    SQLite's own handler sleeps up to 100 ms at a time, while a transaction takes about one.
    """
    time.sleep(_BUSY_PAUSE_SECONDS)
    return calls * _BUSY_PAUSE_SECONDS < BUSY_TIMEOUT_SECONDS


def _switch_to_wal(connection: apsw.Connection) -> None:
    # SQLite does not call the busy handler here, and processes may start at the same moment.
    for calls in count():
        try:
            connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            if not _wait_for_the_other(calls):
                raise
        else:
            return


def bring_up_to_date(
    connection: apsw.Connection, path: Path, *, newest: int = SCHEMA_VERSION
) -> None:
    """Add what newer versions of the schema have; one that is newer, up to `newest`, stays.

    Raises `ConfigurationError` and `apsw.Error`.
    """
    # Also the look is taken in the transaction: another process may be doing the same.
    with transaction(connection):
        version = schema_version(connection, path, newest=newest)
        for step in _STEPS[version:]:
            connection.execute(step)
        if version < SCHEMA_VERSION:
            connection.pragma("user_version", SCHEMA_VERSION)


def schema_version(connection: apsw.Connection, path: Path, *, newest: int = SCHEMA_VERSION) -> int:
    """Give the version of the schema, 0 for an empty database; raise for any other database."""
    version: int = connection.pragma("user_version")
    if connection.pragma("application_id") == APPLICATION_ID:
        if 0 < version <= newest:
            return version
        if version <= 0:
            raise unusable(path, "is damaged: restore a backup")
        raise unusable(
            path,
            f"was written by a newer broker (schema {version}, this one knows {SCHEMA_VERSION}):"
            " run that version, or restore a backup made before the upgrade",
        )
    if connection.pragma("application_id") == DRAFT_ID:
        raise unusable(path, "is half of one, left by a copy that was cut off: delete the file")
    if version or connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
        raise unusable(path, "is a database of another program: name another file under `store`")
    return 0


def explain(error: apsw.Error) -> str:
    """Say what an error means for the file, and what mends it."""
    if isinstance(error, apsw.NotADBError):
        return "is not a SQLite database: name another file under `store`"
    if isinstance(error, apsw.CorruptError):
        return "is damaged: restore a backup"
    if isinstance(error, apsw.ReadOnlyError | apsw.CantOpenError | apsw.PermissionsError):
        return "cannot be written: check the rights of the file and of its folder"
    if isinstance(error, apsw.FullError):
        return "cannot be written: the disk is full"
    if isinstance(error, apsw.BusyError):
        return "is locked by another process"
    return f"cannot be used: {error}"


def unusable(path: Path, what: str) -> ConfigurationError:
    """Say that a store cannot be used."""
    return ConfigurationError([Problem(str(path), 0, 0, f"the store {what}")])
