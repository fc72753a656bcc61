"""The page about Redis names every key, and no other."""

import re
from pathlib import Path

from broker.stores import redis_keys
from tests.docs.markdown import Page, rows

ROOT = Path(__file__).parents[2]
PAGE = Page("docs/reference/redis.md")


def test_every_key_has_a_row() -> None:
    documented = {
        name.partition(":")[0]
        for row in rows(PAGE.section("Keys"))
        for name in re.findall(r"`([^`]+)`", row[0])
    }
    constants = {
        value.removeprefix(redis_keys.PREFIX).rstrip(":")
        for name, value in vars(redis_keys).items()
        if name.isupper() and isinstance(value, str) and value.startswith(redis_keys.PREFIX)
    } - {""}
    made = {
        key.removeprefix(redis_keys.PREFIX).partition(":")[0]
        for key in (
            redis_keys.batch("1"),
            redis_keys.limit(b"1"),
            redis_keys.secrets_of("a"),
            redis_keys.last_uses("a"),
            redis_keys.every_id_within("acme"),
            *(redis_keys.accounts(kind) for kind in ("account", "override")),
            *(redis_keys.account_ids(kind) for kind in ("account", "override")),
            *(redis_keys.account_ids_of(kind, None) for kind in ("account", "override")),
        )
    }

    assert documented == constants | made


def test_every_place_of_a_key_is_named_in_one_module() -> None:
    named = [
        path.name
        for path in (ROOT / "broker" / "stores").glob("redis*.py")
        if re.search(r"[\"']\{broker\}", path.read_text())
    ]

    assert named == ["redis_keys.py"]
