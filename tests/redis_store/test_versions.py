"""Stores of other versions: a newer one, the one before, and both while brokers are upgraded."""

import subprocess
import sys
from pathlib import Path

import pytest

from broker.core.errors import ConfigurationError, Unavailable
from broker.core.redis_address import read_redis_address
from broker.ports import AlreadySpent, Committed
from broker.stores import redis_keys
from broker.stores.opening import open_store
from broker.testing import FrozenClock
from tests.redis_server import RedisServer
from tests.redis_store.conftest import Open
from tests.stores.entries import NOW, a_spend, an_entry, an_event, assert_chained
from tests.workers.several_workers import (
    a_home,
    a_token,
    connections,
    environment,
    form,
    several_workers,
)

KNOWN = redis_keys.SCHEMA_VERSION
NEWER = (
    f"the store cannot be used: it was written by a newer broker (schema {KNOWN + 1}, this one"
    f" knows {KNOWN}): run that version, or restore a backup made before the upgrade"
)
DAMAGED = "the store cannot be used: the store is damaged: restore a backup"


@pytest.fixture
def home(tmp_path: Path, redis: RedisServer) -> Path:
    home = a_home(tmp_path, limits="off")
    with (home / "broker.yaml").open("a") as configuration:
        configuration.write(f"store: {redis.url}\n")
    return home


def raise_schema(redis: RedisServer, by: int) -> None:
    redis.command("HSET", redis_keys.STATE, "schema", redis_keys.SCHEMA_VERSION + by)


@pytest.mark.parametrize(
    ("command", "schema", "told"),
    [
        (["serve", "--listen", "127.0.0.1:0"], KNOWN + 1, NEWER),
        (["accounts", "create", "cron"], KNOWN + 1, NEWER),
        (["audit", "list"], KNOWN + 1, NEWER),
        (["serve", "--listen", "127.0.0.1:0"], "x", DAMAGED),
        (["audit", "list"], "x", DAMAGED),
    ],
)
def test_a_store_that_cannot_be_read_is_one_clear_line(
    home: Path, redis: RedisServer, command: list[str], schema: int | str, told: str
) -> None:
    redis.command("HSET", redis_keys.STATE, "schema", schema, "seq", 0)
    run = subprocess.run(
        [sys.executable, "-m", "broker", *command],
        cwd=home,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 2, run
    assert not run.stdout
    [line] = [line for line in run.stderr.splitlines() if "schema" in line or "store" in line]
    assert line.endswith(told), run
    assert "Traceback" not in run.stderr
    assert redis.command("HGET", redis_keys.STATE, "schema") == str(schema)


def test_brokers_that_run_serve_on_while_the_next_version_is_started(
    home: Path, redis: RedisServer
) -> None:
    with several_workers(home, 1) as serving, connections(serving.url, 1) as [client]:
        assert client.post("/oauth/token", data=form(a_token())).status_code == 200
        raise_schema(redis, 1)
        redis.command("CLIENT", "KILL", "TYPE", "normal")

        assert client.post("/oauth/token", data=form(a_token())).status_code == 200
        assert client.get("/readyz").status_code == 200


async def test_a_broker_that_ran_before_bears_the_next_version_and_no_other(
    redis: RedisServer, opened: Open, clock: FrozenClock
) -> None:
    store = await opened(redis.url)
    raise_schema(redis, 1)
    redis.command("CLIENT", "KILL", "TYPE", "normal")
    assert await store.commit(an_entry()) == Committed(1)
    # A worker that takes the place of one that has died.
    anew = await open_store(read_redis_address(redis.url), clock, begun=True)
    assert await anew.commit(an_entry()) == Committed(2)
    await anew.close()
    assert redis.command("HGET", redis_keys.STATE, "schema") == str(redis_keys.SCHEMA_VERSION + 1)

    raise_schema(redis, 2)
    redis.command("CLIENT", "KILL", "TYPE", "normal")
    with pytest.raises(Unavailable):
        await store.commit(an_entry())
    with pytest.raises(ConfigurationError, match="was written by a newer broker"):
        await open_store(read_redis_address(redis.url), clock, begun=True)


async def test_a_store_of_the_version_before_is_taken_over_while_its_brokers_run(
    redis: RedisServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await opened(redis.url)
    await before.commit(a_spend("token"))
    await before.revoke_token("t-1", int(NOW) + 60, an_event())
    redis.command("HDEL", redis_keys.STATE, "may_lose", "evicted")
    known = redis_keys.SCHEMA_VERSION
    monkeypatch.setattr(redis_keys, "SCHEMA_VERSION", known + 1)
    after = await opened(redis.url)
    monkeypatch.setattr(redis_keys, "SCHEMA_VERSION", known)

    assert redis.command("HGET", redis_keys.STATE, "schema") == str(known + 1)
    assert await after.commit(a_spend("token")) == AlreadySpent(3)
    assert not await after.revoke_token("t-1", int(NOW) + 60, an_event())
    assert await before.commit(an_entry()) == Committed(4)
    assert_chained(await after.events())
