"""What cannot be moved, and where nothing can be moved to: one line says why, nothing changes."""

import hashlib
import os
from pathlib import Path

import apsw
import pytest

from broker.core.errors import ConfigurationError
from broker.core.redis_address import read_redis_address
from broker.settings import SqliteStoreLocation
from broker.stores import redis_keys
from broker.stores.opening import StoreLocation, open_draft, open_shared_counts
from broker.stores.sqlite_file import SCHEMA_VERSION
from tests.copying.conftest import Opened, Place
from tests.copying.filled import fill, presented_again
from tests.copying.moving import moved, restoring, verified
from tests.redis_server import RedisServer
from tests.stores.damage import overwrite, overwrite_all_but_the_schema
from tests.stores.entries import NOW


async def refusal(source: StoreLocation, target: StoreLocation, **draft: object) -> str:
    with pytest.raises(ConfigurationError) as refused:
        await moved(source, target, **draft)  # type: ignore[arg-type]
    [problem] = refused.value.problems
    assert "\n" not in problem.message
    return f"{problem.file}: {problem.message}"


def statement(location: StoreLocation, sql: str) -> None:
    assert isinstance(location, SqliteStoreLocation)
    connection = apsw.Connection(str(location.path))
    connection.execute(sql)
    connection.close()


@pytest.fixture
async def backup(opened: Opened, place: Place) -> SqliteStoreLocation:
    """A full store in a file that nobody has open."""
    location = place("sqlite")
    assert isinstance(location, SqliteStoreLocation)
    store = await opened(location)
    await fill(store)
    await store.close()
    return location


def left_beside(location: StoreLocation) -> list[str]:
    assert isinstance(location, SqliteStoreLocation)
    folder = location.path.parent
    return sorted(each.name for each in folder.iterdir()) if folder.exists() else []


async def test_a_source_that_is_not_there_begins_nothing(place: Place) -> None:
    target = place("sqlite")
    assert "the store is not there" in await refusal(place("sqlite"), target)
    assert "there is none" in await refusal(place("redis"), target)
    assert left_beside(target) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no database, " * 1000, "is not a SQLite database"),
        (b"", "is empty"),
        (b"SQLite format 3\0" + bytes(90), "is "),
    ],
)
async def test_a_file_that_is_no_store_is_refused(
    content: bytes, said: str, tmp_path: Path, place: Place
) -> None:
    file = tmp_path / "notes"
    file.write_bytes(content)

    assert said in await refusal(SqliteStoreLocation(file), place("redis"))


async def test_the_database_of_another_program_is_refused(place: Place, tmp_path: Path) -> None:
    other = SqliteStoreLocation(tmp_path / "other.db")
    statement(other, "CREATE TABLE events (id)")

    assert "another program" in await refusal(other, place("sqlite"))
    assert "another program" in await refusal(other, place("redis"))


async def test_a_store_of_a_newer_version_is_refused(
    backup: SqliteStoreLocation, opened: Opened, place: Place, redis: RedisServer
) -> None:
    target = place("redis")
    statement(backup, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    assert "written by a newer broker" in await refusal(backup, target)

    newer = place("first redis")
    await opened(newer)
    redis.command("HSET", redis_keys.STATE, "schema", redis_keys.SCHEMA_VERSION + 1)
    assert "written by a newer broker" in await refusal(newer, target)


async def test_a_file_that_was_cut_short_is_refused(
    backup: SqliteStoreLocation, place: Place
) -> None:
    content = backup.path.read_bytes()
    target = place("redis")
    for length in (len(content) - 4096, len(content) // 2, 5000):
        backup.path.write_bytes(content[:length])

        assert "is damaged" in await refusal(backup, target)


async def test_a_damaged_page_is_refused(backup: SqliteStoreLocation, place: Place) -> None:
    content = backup.path.read_bytes()
    overwrite_all_but_the_schema(backup.path)
    assert "is damaged" in await refusal(backup, place("redis"))

    # Also one that holds an index alone, which no row is read from.
    for page in range(1, len(content) // 4096):
        backup.path.write_bytes(content)
        overwrite(backup.path, page * 4096, page * 4096 + 12)
        with pytest.raises(ConfigurationError, match=r"damaged|broken|altered"):
            await verified(backup)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("UPDATE events SET body = replace(body, 'github', 'gitlab') WHERE seq = 7", "event 7"),
        ("UPDATE events SET claims = '{}' WHERE seq = 9", "event 9: its claims were changed"),
        ("DELETE FROM events WHERE seq = 11", "event 11 is missing"),
        ("DELETE FROM events WHERE seq < 3", "nothing signed says that they were pruned"),
        ("DELETE FROM state", "is damaged"),
    ],
)
async def test_an_edited_store_is_refused_and_leaves_nothing(
    edit: str, said: str, backup: SqliteStoreLocation, place: Place, redis: RedisServer
) -> None:
    statement(backup, edit)
    target, server = place("sqlite"), place("first redis")

    for each in (target, server):
        assert said in await refusal(backup, each)
    assert left_beside(target) == []
    assert redis.command("KEYS", "*") == "[]"


@pytest.mark.parametrize(
    "planted",
    [
        "CREATE TRIGGER t AFTER INSERT ON spends BEGIN DELETE FROM revocations; END",
        (
            "DROP TABLE spends; CREATE VIEW spends AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
            " SELECT i + 1 FROM n) SELECT randomblob(32) AS key, 1 AS expires_at FROM n"
        ),
    ],
)
async def test_a_backup_that_would_run_something_is_refused(
    planted: str, backup: SqliteStoreLocation, place: Place
) -> None:
    statement(backup, planted)
    target = place("sqlite")

    assert "was altered: it has what no broker makes" in await refusal(backup, target)
    assert left_beside(target) == []


async def test_a_value_beyond_all_measure_is_not_read(
    backup: SqliteStoreLocation, place: Place
) -> None:
    statement(backup, "UPDATE last_uses SET used = hex(zeroblob(35000000)) WHERE used = 's-1'")

    assert "too big" in await refusal(backup, place("sqlite"))


async def test_a_pipe_in_place_of_a_file_is_not_waited_for(
    backup: SqliteStoreLocation, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    target = SqliteStoreLocation(tmp_path / "target.db")
    assert "no file" in await refusal(SqliteStoreLocation(tmp_path / "pipe"), target)

    # Nor one that looks like the draft of a copy that was cut off.
    os.mkfifo(tmp_path / ".target.db.0.draft")
    await moved(backup, target)
    await verified(target)


async def test_a_place_that_is_taken_is_refused_and_left_as_it_is(
    backup: SqliteStoreLocation, opened: Opened, place: Place
) -> None:
    for kind in ("sqlite", "redis"):
        taken = place(kind)
        store = await opened(taken)
        await store.commit(presented_again("one"))
        await store.close()

        assert "holds a store already" in await refusal(backup, taken)
        assert len(await (await opened(taken)).events()) == 1


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
async def test_an_empty_store_is_no_hindrance(
    kind: str, backup: SqliteStoreLocation, opened: Opened, place: Place
) -> None:
    empty = place(kind)
    await (await opened(empty)).close()
    await moved(backup, empty)

    assert len(await (await opened(empty)).events(limit=1000)) > 40


async def test_what_is_no_store_of_ours_is_not_replaced(
    backup: SqliteStoreLocation, tmp_path: Path
) -> None:
    other, notes = tmp_path / "other.db", tmp_path / "notes.txt"
    statement(SqliteStoreLocation(other), "CREATE TABLE t (id)")
    notes.write_text("not a database, " * 1000)
    for file in (other, notes):
        before = hashlib.sha256(file.read_bytes()).digest()
        await refusal(backup, SqliteStoreLocation(file), replace=True)

        assert hashlib.sha256(file.read_bytes()).digest() == before
    assert "no file" in await refusal(backup, SqliteStoreLocation(tmp_path), replace=True)


async def test_a_damaged_store_is_replaced(
    backup: SqliteStoreLocation, opened: Opened, place: Place, redis: RedisServer
) -> None:
    damaged = place("sqlite")
    await moved(backup, damaged)
    assert isinstance(damaged, SqliteStoreLocation)
    overwrite_all_but_the_schema(damaged.path)
    await moved(backup, damaged, replace=True)
    assert len(await (await opened(damaged)).events(limit=1000)) > 40

    server = place("first redis")
    redis.command("HSET", redis_keys.STATE, "epoch", "x")
    assert "damaged" in await refusal(backup, server)
    await moved(backup, server, replace=True)
    assert len(await (await opened(server)).events(limit=1000)) > 40


async def test_a_store_that_is_in_use_is_not_replaced(
    backup: SqliteStoreLocation, opened: Opened, place: Place
) -> None:
    used = place("sqlite")
    store = await opened(used)
    await store.commit(presented_again("one"))
    for options in ({"replace": True}, {"replace": True, "as_backup": True}):
        assert "is in use: stop every broker of it first" in await refusal(backup, used, **options)
    assert isinstance(await store.commit(presented_again("two")), object)
    await store.close()

    await moved(backup, used, replace=True)
    assert len(await (await opened(used)).events(limit=1000)) > 40


async def test_a_store_in_redis_with_live_brokers_is_not_replaced(
    backup: SqliteStoreLocation, opened: Opened, place: Place
) -> None:
    used = place("redis")
    await (await opened(used)).commit(presented_again("one"))
    counts = open_shared_counts(used)
    await counts.share([], 4e9)
    assert "is in use: stop every broker of it first" in await refusal(backup, used, replace=True)
    await counts.close()

    await moved(backup, used, replace=True)


async def test_a_file_is_not_written_over_unless_that_is_wanted(
    backup: SqliteStoreLocation, opened: Opened, place: Place
) -> None:
    source = place("redis")
    await (await opened(source)).commit(presented_again("one"))
    before = backup.path.read_bytes()
    said = await refusal(source, backup, as_backup=True)
    assert "would be written over: name another file, or add --force" in said
    assert backup.path.read_bytes() == before

    await moved(source, backup, as_backup=True, replace=True)
    assert (await verified(backup)).tallies.counts()["events"] == 1


async def test_what_a_backup_lies_beside_of_another_file_does_not_harm_it(
    backup: SqliteStoreLocation, opened: Opened, place: Place
) -> None:
    """A log that was left by a file that is gone would be read as if it were this one's."""
    target = place("sqlite")
    assert isinstance(target, SqliteStoreLocation)
    store = await opened(target)
    await store.commit(presented_again("one"))
    left = target.path.with_name("broker.db-wal").read_bytes()
    await store.close()
    target.path.unlink()
    target.path.with_name("broker.db-wal").write_bytes(left)

    await moved(backup, target)
    await verified(target)
    assert left_beside(target) == ["broker.db"]


async def test_without_room_nothing_is_begun(backup: SqliteStoreLocation, place: Place) -> None:
    target = place("sqlite")

    assert "needs about" in await refusal(backup, target, needed=2**60)
    assert left_beside(target) == []


async def test_a_full_server_is_told_in_one_line(
    backup: SqliteStoreLocation, own_small_redis: RedisServer
) -> None:
    said = await refusal(backup, read_redis_address(own_small_redis.url))
    assert "maxmemory" in said


async def test_a_half_written_place_is_no_store_for_anybody(
    backup: SqliteStoreLocation, opened: Opened, place: Place
) -> None:
    target = place("redis")
    draft = open_draft(target)
    await draft.begin()

    with pytest.raises(ConfigurationError, match="holds half of a store"):
        await opened(target)
    assert "holds half of a store" in await refusal(target, place("sqlite"))
    # Whoever comes next takes over, and the one before is out.
    await moved(backup, target, succession=restoring(int(NOW)))
    with pytest.raises(ConfigurationError, match="another copy to it has begun"):
        await draft.publish()
    await draft.abandon()
    assert len(await (await opened(target)).events(limit=1000)) > 40


async def test_a_failed_restore_over_a_store_in_redis_leaves_no_room_for_a_new_one(
    backup: SqliteStoreLocation, opened: Opened, place: Place
) -> None:
    target = place("redis")
    await (await opened(target)).commit(presented_again("one"))
    draft = open_draft(target, replace=True)
    await draft.begin()
    await draft.abandon()

    with pytest.raises(ConfigurationError, match="run that again"):
        await opened(target)
    await moved(backup, target)
    await verified(target)
