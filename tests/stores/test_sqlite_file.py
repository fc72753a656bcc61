"""The database file: how it is made, and which files are refused."""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import apsw
import pytest

from broker.core.errors import ConfigurationError
from broker.ports import AlreadySpent, Committed, KeptPolicySet
from broker.stores.sqlite import SqliteStore
from broker.stores.sqlite_file import _STEPS, APPLICATION_ID, SCHEMA_VERSION
from broker.testing import FrozenClock
from tests.stores import without_rights
from tests.stores.damage import overwrite
from tests.stores.entries import NOW, a_spend, an_entry
from tests.unprivileged import run_unprivileged

OpenSqlite = Callable[[], Awaitable[SqliteStore]]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def checksum(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def statement(database: Path, sql: str) -> None:
    connection = apsw.Connection(str(database))
    connection.execute(sql)
    connection.close()


async def test_the_file_and_its_folders_are_for_the_owner_alone(
    tmp_path: Path, clock: FrozenClock
) -> None:
    database = tmp_path / "var" / "lib" / "broker.db"
    before = os.umask(0)
    try:
        store = await SqliteStore.open(database, clock)
    finally:
        os.umask(before)
    await store.commit(an_entry())

    assert [mode(tmp_path / "var"), mode(tmp_path / "var" / "lib")] == [0o700, 0o700]
    assert {mode(file) for file in database.parent.iterdir()} == {0o600}
    await store.close()


async def test_a_closed_store_is_one_file(open_sqlite: OpenSqlite, database: Path) -> None:
    store = await open_sqlite()
    await store.commit(an_entry())
    await store.close()

    assert [database] == list(database.parent.iterdir())


async def test_a_relative_path_is_from_the_working_directory(
    tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = await SqliteStore.open(Path("broker.db"), clock)
    await store.close()

    assert (tmp_path / "broker.db").is_file()


async def test_the_store_syncs_every_commit_to_the_disk(open_sqlite: OpenSqlite) -> None:
    def settings(connection: apsw.Connection) -> tuple[object, object]:
        return connection.pragma("journal_mode"), connection.pragma("synchronous")

    full = 2
    assert await (await open_sqlite())._writer.run(settings) == ("wal", full)


async def test_searches_use_the_indexes(open_sqlite: OpenSqlite) -> None:
    def plans(connection: apsw.Connection) -> list[str]:
        columns = ["id", "service_account", "issuer", "reason"]
        search = "EXPLAIN QUERY PLAN SELECT hash FROM events WHERE body ->> '%s' = 'x'"
        return [connection.execute(search % column).get[3] for column in columns]

    used = await (await open_sqlite())._writer.run(plans)
    assert all(plan.startswith("SEARCH events USING INDEX events_by_") for plan in used)


async def test_many_openings_of_a_new_file_at_once_agree(open_sqlite: OpenSqlite) -> None:
    stores = await asyncio.gather(*(open_sqlite() for _ in range(8)))
    receipts = [await store.commit(an_entry()) for store in stores]

    assert [Committed(place) for place in range(1, 9)] == receipts


async def refusal(database: Path, clock: FrozenClock) -> str:
    with pytest.raises(ConfigurationError) as refused:
        await SqliteStore.open(database, clock)
    [problem] = refused.value.problems
    assert problem.file == str(database)
    return problem.message


async def test_a_file_of_a_newer_version_is_refused(
    open_sqlite: OpenSqlite, database: Path, clock: FrozenClock
) -> None:
    await (await open_sqlite()).close()
    statement(database, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")

    said = (
        f"written by a newer broker (schema {SCHEMA_VERSION + 1}, this one knows {SCHEMA_VERSION})"
    )
    assert said in await refusal(database, clock)


async def test_a_broker_that_runs_goes_on_while_a_newer_one_is_started(
    open_sqlite: OpenSqlite, database: Path, clock: FrozenClock
) -> None:
    store = await open_sqlite()
    await store.commit(an_entry())
    statement(
        database,
        "ALTER TABLE state ADD COLUMN something INTEGER NOT NULL DEFAULT 0;"
        "CREATE TABLE something (x TEXT) STRICT;"
        f"PRAGMA user_version = {SCHEMA_VERSION + 1}",
    )

    assert await store.commit(a_spend("token")) == Committed(2)
    # And so does one of its workers that is started anew.
    worker = await SqliteStore.open(database, clock, begun=True)
    assert await worker.commit(a_spend("token")) == AlreadySpent(3)
    await worker.close()


async def test_a_worker_that_starts_anew_bears_no_version_but_the_next(
    open_sqlite: OpenSqlite, database: Path, clock: FrozenClock
) -> None:
    await (await open_sqlite()).close()
    statement(database, f"PRAGMA user_version = {SCHEMA_VERSION + 2}")

    with pytest.raises(ConfigurationError, match="written by a newer broker"):
        await SqliteStore.open(database, clock, begun=True)


async def test_a_file_of_an_older_version_is_brought_up_to_date_with_its_content(
    database: Path, clock: FrozenClock
) -> None:
    database.parent.mkdir()
    statement(database, _STEPS[0] + "PRAGMA user_version = 1;")
    stores = await asyncio.gather(*(SqliteStore.open(database, clock) for _ in range(4)))
    await stores[0].commit(an_entry())
    for number, store in enumerate(stores):
        await store.keep_policy_set(f"{number}", b"", NOW)
        await store.close()

    reopened = await SqliteStore.open(database, clock)
    assert len(await reopened.events()) == 1
    assert await reopened.last_policy_set() == KeptPolicySet("3", b"")
    assert await reopened._writer.run(lambda each: each.pragma("user_version")) == SCHEMA_VERSION
    await reopened.close()


async def test_what_was_spent_stays_spent_when_the_file_is_brought_up_to_date(
    database: Path, clock: FrozenClock
) -> None:
    entry = a_spend("token")
    assert entry.spend is not None
    database.parent.mkdir()
    statement(database, ";".join([*_STEPS[:5], "PRAGMA user_version = 5"]))
    connection = apsw.Connection(str(database))
    connection.execute(
        "INSERT INTO spends VALUES (?, ?)", (entry.spend.key, entry.spend.expires_at)
    )
    connection.close()

    store = await SqliteStore.open(database, clock)
    assert await store.commit(entry) == AlreadySpent(1)
    assert await store.commit(a_spend("another")) == Committed(2)
    await store.close()


async def test_the_broker_s_own_file_without_a_version_is_refused(
    database: Path, clock: FrozenClock
) -> None:
    database.parent.mkdir()
    statement(database, f"PRAGMA application_id = {APPLICATION_ID}")

    assert "is damaged" in await refusal(database, clock)


async def test_a_database_of_another_program_is_refused_and_left_alone(
    tmp_path: Path, clock: FrozenClock
) -> None:
    database = tmp_path / "other.db"
    statement(database, "CREATE TABLE events (id)")
    before = checksum(database)

    assert "another program" in await refusal(database, clock)
    assert checksum(database) == before


async def test_a_file_that_is_no_database_is_refused_and_left_alone(
    tmp_path: Path, clock: FrozenClock
) -> None:
    database = tmp_path / "notes.txt"
    database.write_text("not a database, " * 1000)
    before = checksum(database)

    assert "not a SQLite database" in await refusal(database, clock)
    assert checksum(database) == before


async def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path, clock: FrozenClock) -> None:
    assert "cannot be opened" in await refusal(tmp_path, clock)


async def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path, clock: FrozenClock) -> None:
    (tmp_path / "data").write_text("")

    assert "Not a directory" in await refusal(tmp_path / "data" / "broker.db", clock)


def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    existing, new = run_unprivileged(without_rights.read_only_folder, tmp_path)

    assert "check the rights" in existing
    assert "Permission denied" in new


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    said = run_unprivileged(without_rights.unreadable_file, tmp_path)

    assert "check that it is a file and its rights" in said


async def test_a_damaged_schema_is_refused(
    open_sqlite: OpenSqlite, database: Path, clock: FrozenClock
) -> None:
    await (await open_sqlite()).close()
    overwrite(database, 100, 4096)

    assert "is damaged: restore a backup" in await refusal(database, clock)
