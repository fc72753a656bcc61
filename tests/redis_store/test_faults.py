"""A Redis server in trouble: what is acknowledged stays, and what is not sure is refused."""

import asyncio
import logging
import re
from pathlib import Path

import pytest

from broker.core.errors import ConfigurationError, Unavailable
from broker.core.redis_address import read_redis_address
from broker.ports import AlreadySpent, Committed, Entry, Spend
from broker.stores import redis_keys
from broker.stores.opening import open_store
from broker.stores.redis import RedisStore
from broker.stores.redis_link import LinkLost, LinkRefused
from broker.stores.redis_primary import require_suitable
from broker.testing import FrozenClock
from tests.redis_server import RedisServer, redis_server
from tests.redis_store.conftest import Open, impatient
from tests.redis_store.wire import wire_to
from tests.stores.entries import NOW, a_spend, an_entry, an_event, assert_chained


def issued(name: str, at: float) -> Entry:
    """Give an entry that spends a token issued then."""
    entry = a_spend(name)
    assert entry.spend is not None
    spend = Spend(entry.spend.key, entry.spend.expires_at, int(at))
    return Entry(entry.event, spend, entry.event_if_spent)


async def refused(store: RedisStore, entry: Entry | None = None) -> None:
    with pytest.raises(Unavailable, match="cannot be written"):
        await store.commit(entry or an_entry())


# --- Ended, and started anew ----------------------------------------------------------------------


async def test_a_server_that_is_killed_loses_nothing_that_was_acknowledged(
    own_redis: RedisServer, opened: Open
) -> None:
    store = await opened(own_redis.url)
    await store.commit(a_spend("token"))
    await store.keep_policy_set("version", b"content", NOW)
    await store.revoke_token("t-1", int(NOW) + 60, an_event())
    own_redis.kill()
    own_redis.start()

    assert await store.commit(a_spend("token")) == AlreadySpent(3)
    assert await store.policy_set("version") == b"content"
    assert not await store.revoke_token("t-1", int(NOW) + 60, an_event())
    assert_chained(await store.events())


async def test_tokens_issued_before_a_restart_without_loss_are_good(
    own_redis: RedisServer, opened: Open
) -> None:
    store = await opened(own_redis.url)
    own_redis.kill()
    own_redis.start()

    assert await store.commit(issued("token", NOW - 60)) == Committed(1)


async def test_a_worker_that_starts_anew_waits_for_its_server_and_makes_no_other_store(
    own_redis: RedisServer, opened: Open, clock: FrozenClock
) -> None:
    address = read_redis_address(own_redis.url)
    own_redis.stop()
    opening = asyncio.create_task(open_store(address, clock, begun=True))
    await asyncio.sleep(0.3)
    assert not opening.done()
    own_redis.start()

    with pytest.raises(ConfigurationError, match="it has lost the store"):
        await opening
    await opened(own_redis.url)
    store = await open_store(address, clock, begun=True)
    assert await store.commit(an_entry()) == Committed(1)
    await store.close()


async def test_while_a_server_is_down_nothing_is_written_and_afterwards_all_is_as_before(
    own_redis: RedisServer, opened: Open
) -> None:
    store = await opened(own_redis.url)
    await store.commit(an_entry())
    own_redis.stop()

    await refused(store)
    assert not await store.ready()
    with pytest.raises(Unavailable, match="cannot be read"):
        await store.state_epoch()
    own_redis.start()

    assert await store.ready()
    assert await store.commit(an_entry()) == Committed(2)


async def test_a_server_that_may_lose_the_last_second_refuses_tokens_of_before_its_restart(
    tmp_path: Path, opened: Open, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server(tmp_path, "--appendfsync", "everysec") as server:
        store = await opened(server.url)
        assert "appendfsync everysec, so that a crash loses the last second" in caplog.text
        server.kill()
        server.start()
        clock.advance(1)

        assert await store.commit(issued("of before", NOW)) == AlreadySpent(1)
        assert await store.commit(issued("of after", NOW + 2)) == Committed(2)


async def test_a_server_without_a_log_of_writes_is_warned_of(
    tmp_path: Path, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server(tmp_path, "--appendonly", "no") as server:
        await opened(server.url)

    assert "a crash of the Redis server loses all since its last snapshot" in caplog.text


async def test_a_store_that_was_emptied_is_not_begun_anew_by_who_runs(
    own_redis: RedisServer, opened: Open
) -> None:
    store = await opened(own_redis.url)
    await store.commit(an_entry())
    own_redis.command("FLUSHALL")

    await refused(store)
    own_redis.command("CLIENT", "KILL", "TYPE", "normal")
    await refused(store)
    with pytest.raises(Unavailable):
        await store.state_epoch()


async def test_a_store_that_was_emptied_is_not_ready(
    own_redis: RedisServer, opened: Open, clock: FrozenClock
) -> None:
    store = await opened(own_redis.url)
    assert await store.ready()
    own_redis.command("FLUSHALL")
    clock.advance(1)

    assert not await store.ready()


# --- No answer ------------------------------------------------------------------------------------


async def test_a_server_that_stands_still_holds_nobody_for_long(
    own_redis: RedisServer, opened: Open
) -> None:
    store = await opened(own_redis.url)
    await store.commit(an_entry())
    own_redis.pause()

    with impatient():
        # It stands still for as long as anybody waits.
        await refused(store, a_spend("token"))
    own_redis.resume()

    # Whether it came to the server is not known; twice it cannot have.
    assert await store.commit(an_entry()) in (Committed(2), Committed(3))
    assert_chained(await store.events())


async def test_an_answer_that_is_lost_is_asked_for_once_more(
    redis: RedisServer, opened: Open
) -> None:
    async with wire_to(redis.port) as wire:
        store = await opened(wire.url)
        await store.commit(an_entry())
        wire.answers_lost = 1

        assert await store.commit(a_spend("token")) == Committed(2)
        assert await store.commit(a_spend("token")) == AlreadySpent(3)
        assert_chained(await store.events())
        await store.close()


async def test_a_change_whose_answer_is_lost_is_made_once(redis: RedisServer, opened: Open) -> None:
    async with wire_to(redis.port) as wire:
        store = await opened(wire.url)
        wire.answers_lost = 1

        assert await store.add_sealed_row("name", b"content")
        epoch = await store.state_epoch()
        wire.answers_lost = 1
        await store.keep_policy_set("version", b"", NOW)
        assert await store.state_epoch() == epoch + 1
        await store.close()


async def test_a_slow_server_is_waited_for_and_batches_grow(
    redis: RedisServer, opened: Open
) -> None:
    async with wire_to(redis.port) as wire:
        store = await opened(wire.url)
        wire.delay = 0.1
        begun = wire.scripts
        receipts = await asyncio.gather(*(store.commit(an_entry()) for _ in range(200)))
        # One by one they would be two hundred.
        assert wire.scripts - begun < 50
        assert len(receipts) == 200
        wire.delay = 0
        assert_chained(await store.events(limit=200))
        await store.close()


# --- Full, and evicting (attacks row 181) ---------------------------------------------------------


async def test_a_full_server_refuses_and_goes_on_when_there_is_room(
    own_redis: RedisServer, opened: Open
) -> None:
    store = await opened(own_redis.url)
    await store.commit(an_entry())
    own_redis.command("CONFIG", "SET", "maxmemory", 1)

    await refused(store, a_spend("token"))
    assert not await store.ready()
    assert len(await store.events()) == 1
    own_redis.command("CONFIG", "SET", "maxmemory", 0)

    assert await store.commit(a_spend("token")) == Committed(2)
    assert_chained(await store.events())


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_a_server_that_evicts_is_refused_and_how_to_mend_it_is_told(
    own_redis: RedisServer, opened: Open, policy: str
) -> None:
    own_redis.command("CONFIG", "SET", "maxmemory-policy", policy)

    with pytest.raises(ConfigurationError) as refusal:
        await opened(own_redis.url)
    assert f"maxmemory-policy {policy}" in str(refusal.value)
    assert "set `maxmemory-policy noeviction`" in str(refusal.value)


async def test_a_server_that_begins_to_evict_is_no_longer_used(
    own_redis: RedisServer, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    store = await opened(own_redis.url)
    own_redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
    own_redis.command("CLIENT", "KILL", "TYPE", "normal")

    with caplog.at_level(logging.ERROR):
        await refused(store)
    assert "maxmemory-policy allkeys-random" in caplog.text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        # It also says `aof_enabled:0` meanwhile, which is not so.
        ({"loading": "1"}, "it is still loading its data"),
        ({"redis_version": "6.0.16"}, "Redis 6.0.16 is too old: 6.2 or newer is needed"),
        ({"redis_version": "8.0", "cluster_enabled": "1"}, "a cluster is no store"),
    ],
)
def test_a_server_that_is_not_fit_is_told_why(said: dict[str, str], told: str) -> None:
    with pytest.raises((LinkLost, LinkRefused), match=re.escape(told)):
        require_suitable(said)


# --- Other stores ---------------------------------------------------------------------------------


async def test_a_store_of_a_newer_version_is_refused(redis: RedisServer, opened: Open) -> None:
    await (await opened(redis.url)).close()
    redis.command("HSET", redis_keys.STATE, "schema", redis_keys.SCHEMA_VERSION + 1)

    with pytest.raises(ConfigurationError, match="was written by a newer broker"):
        await opened(redis.url)


async def test_a_broker_that_runs_goes_on_while_a_newer_one_is_started(
    redis: RedisServer, opened: Open
) -> None:
    store = await opened(redis.url)
    redis.command("HSET", redis_keys.STATE, "schema", redis_keys.SCHEMA_VERSION + 1)

    assert await store.commit(an_entry()) == Committed(1)
    # Also over another connection.
    redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert await store.commit(an_entry()) == Committed(2)
    assert await store.ready()


@pytest.mark.parametrize(("ahead", "borne"), [(1, True), (2, False)])
async def test_a_worker_that_starts_anew_bears_the_next_version_and_no_other(
    redis: RedisServer, opened: Open, clock: FrozenClock, ahead: int, *, borne: bool
) -> None:
    await (await opened(redis.url)).close()
    redis.command("HSET", redis_keys.STATE, "schema", redis_keys.SCHEMA_VERSION + ahead)
    address = read_redis_address(redis.url)
    if not borne:
        with pytest.raises(ConfigurationError, match="was written by a newer broker"):
            await RedisStore.open(address, clock, may_make=False, has_begun=True)
        return
    store = await RedisStore.open(address, clock, may_make=False, has_begun=True)
    assert await store.commit(an_entry()) == Committed(1)
    await store.close()


async def test_a_store_of_the_version_before_is_brought_up_to_date_with_its_content(
    redis: RedisServer, opened: Open
) -> None:
    before = await opened(redis.url)
    await before.commit(a_spend("token"))
    redis.command("HSET", redis_keys.STATE, "schema", redis_keys.SCHEMA_VERSION - 1)

    store = await opened(redis.url)
    assert redis.command("HGET", redis_keys.STATE, "schema") == str(redis_keys.SCHEMA_VERSION)
    assert await store.commit(a_spend("token")) == AlreadySpent(2)
    # The broker of before goes on beside it.
    assert await before.commit(a_spend("another")) == Committed(3)


async def test_a_damaged_store_is_refused(redis: RedisServer, opened: Open) -> None:
    redis.command("HSET", redis_keys.STATE, "schema", "x")

    with pytest.raises(ConfigurationError, match="damaged"):
        await opened(redis.url)


async def test_an_event_that_was_changed_or_deleted_shows(redis: RedisServer, opened: Open) -> None:
    store = await opened(redis.url)
    await asyncio.gather(*(store.commit(an_entry()) for _ in range(5)))
    redis.command("SET", redis_keys.event(2), "damaged")
    redis.command("DEL", redis_keys.event(4))

    page = await store.chain_page(0, 10)
    assert [event.sequence for event in page.events] == [1, 2, 3, 5]
    assert [event.link().fits for event in page.events] == [True, False, True, True]
