"""Whatever a store holds is copied, or is on a list that says why not."""

import re
from pathlib import Path

from broker.ports.contents import PARTS
from broker.stores import redis_contents, redis_draft, redis_keys, sqlite_contents
from broker.stores.sqlite_file import open_for_writing
from tests.copying.conftest import Opened, Place
from tests.copying.filled import fill
from tests.docs.markdown import Page, rows
from tests.redis_server import RedisServer


def test_every_table_is_copied_with_all_its_columns_or_left_out(tmp_path: Path) -> None:
    connection = open_for_writing(tmp_path / "broker.db")
    tables = {
        str(name): [str(row[1]) for row in connection.execute(f"PRAGMA table_info({name})")]
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    }
    connection.close()

    assert not sqlite_contents.TABLES & sqlite_contents.LEFT_OUT.keys()
    assert tables.keys() == sqlite_contents.TABLES | sqlite_contents.LEFT_OUT.keys()
    for part in PARTS:
        assert sorted(part.columns) == sorted(tables[part.name]), part.name
    assert tables["state"] == [
        "epoch", "forgotten_until", "revocations_forgotten_until", "refused_until", "is_backup",
    ]  # fmt: skip


def test_every_kind_of_key_is_copied_or_left_out() -> None:
    """The page names every key that the code does: tests/docs holds it to that."""
    documented = {
        name.partition(":")[0]
        for row in rows(Page("docs/reference/redis.md").section("Keys"))
        for name in re.findall(r"`([^`]+)`", row[0])
    }

    assert not redis_contents.KEYS.keys() & redis_contents.LEFT_OUT.keys()
    assert documented == redis_contents.KEYS.keys() | redis_contents.LEFT_OUT.keys()
    assert set(redis_contents.KEYS.values()) - {"its own"} == {part.name for part in PARTS}
    assert redis_draft._WRITERS.keys() == {part.name for part in PARTS}


async def test_no_key_of_a_full_store_is_unknown(
    opened: Opened, place: Place, redis: RedisServer
) -> None:
    await fill(await opened(place("first redis")))
    found = re.findall(rf"{re.escape(redis_keys.PREFIX)}([a-z_]+)", redis.command("KEYS", "*"))

    assert set(found) <= redis_contents.KEYS.keys() | redis_contents.LEFT_OUT.keys()
    assert set(found) >= redis_contents.KEYS.keys() - {"batch"}
