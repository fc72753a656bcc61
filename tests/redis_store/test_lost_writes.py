"""A store that lacks what was acknowledged: however it came to that, nothing is spent twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from broker.core.errors import Unavailable
from broker.ports import AlreadySpent, Committed
from broker.stores import redis_keys
from broker.testing import FrozenClock
from tests.redis_server import RedisServer, redis_server
from tests.redis_store.conftest import Open, impatient
from tests.redis_store.test_faults import issued, refused
from tests.redis_store.test_replicas import info, until
from tests.redis_store.wire import Wire, wire_to
from tests.stores.entries import NOW, a_key_row, a_spend, an_entry, assert_chained, put_keys


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a server that may be made a copy of another."""
    with redis_server(tmp_path / "copy") as server:
        yield server


@pytest.fixture
async def wire(own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wire]:
    """Lay a wire to a server that nobody looks at again by himself."""
    monkeypatch.setattr("broker.stores.redis_session.LOOK_SECONDS", 3600)
    async with wire_to(own_redis.port) as laid:
        yield laid


def replicating(source: RedisServer, replica: RedisServer) -> None:
    source.command("CONFIG", "SET", "repl-diskless-sync-delay", 0)
    replica.command("REPLICAOF", "127.0.0.1", source.port)
    until(lambda: "master_link_status:up" in info(replica))


def copied(source: RedisServer, copy: RedisServer) -> None:
    """Have a server hold what another holds now."""
    replicating(source, copy)
    copy.command("REPLICAOF", "NO", "ONE")
    until(lambda: "role:master" in info(copy))
    # A source that still counts it would wait for it from now on.
    until(lambda: "connected_slaves:0" in info(source))


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the server looked at before everything that is written."""
    monkeypatch.setattr("broker.stores.redis_session.LOOK_SECONDS", 0)


async def test_an_older_copy_of_a_store_refuses_what_was_issued_before_it_took_its_place(
    own_redis: RedisServer, copy: RedisServer, wire: Wire, opened: Open, clock: FrozenClock
) -> None:
    # Both write everything to their disks at once, and no replica was ever seen.
    store = await opened(wire.url)
    await store.commit(an_entry())
    copied(own_redis, copy)
    await store.commit(issued("token", NOW))
    wire.lead_to(copy.port)
    clock.advance(1)

    assert isinstance(await store.commit(issued("token", NOW)), AlreadySpent)
    assert isinstance(await store.commit(issued("of after", NOW + 2)), Committed)
    assert_chained(await store.events())


async def test_a_primary_that_returns_without_what_another_one_took_refuses_it(
    own_redis: RedisServer, copy: RedisServer, wire: Wire, opened: Open, clock: FrozenClock
) -> None:
    store = await opened(wire.url)
    await store.commit(an_entry())
    copied(own_redis, copy)
    wire.lead_to(copy.port)
    clock.advance(10)
    assert isinstance(await store.commit(issued("token", NOW + 10)), Committed)
    clock.advance(1)
    # It calls itself the primary of this store, and so does the store.
    wire.lead_to(own_redis.port)

    assert isinstance(await store.commit(issued("token", NOW + 10)), AlreadySpent)


async def test_what_a_broker_spent_on_a_primary_that_others_had_left_is_refused(
    own_redis: RedisServer, copy: RedisServer, wire: Wire, opened: Open, clock: FrozenClock
) -> None:
    store = await opened(wire.url)
    await store.commit(an_entry())
    copied(own_redis, copy)
    other = await opened(copy.url)
    await other.commit(an_entry())
    clock.advance(10)
    await store.commit(issued("token", NOW + 10))
    clock.advance(1)
    wire.lead_to(copy.port)

    assert isinstance(await store.commit(issued("token", NOW + 10)), AlreadySpent)
    assert isinstance(await other.commit(issued("another", NOW + 10)), AlreadySpent)
    assert isinstance(await other.commit(issued("of after", NOW + 12)), Committed)
    assert_chained(await other.events())


async def test_no_state_of_a_store_that_lost_writes_is_taken_for_one_that_was_read_before(
    own_redis: RedisServer, copy: RedisServer, wire: Wire, opened: Open
) -> None:
    store = await opened(wire.url)
    await store.commit(an_entry())
    copied(own_redis, copy)
    assert await put_keys(store, a_key_row())
    held = await store.state_epoch()
    wire.lead_to(copy.port)
    other = await opened(copy.url)
    # As many changes as were lost, but not the same.
    assert await put_keys(other, a_key_row("ES256"))

    await store.commit(an_entry())
    assert await store.state_epoch() != held


async def test_a_store_that_others_made_anew_refuses_what_was_spent_before(
    own_redis: RedisServer, opened: Open, clock: FrozenClock
) -> None:
    store = await opened(own_redis.url)
    assert await put_keys(store, a_key_row())
    await store.commit(an_entry())
    await store.commit(issued("token", NOW))
    held = await store.state_epoch()
    own_redis.command("FLUSHALL")
    other = await opened(own_redis.url)
    assert await put_keys(other, a_key_row())
    assert await other.state_epoch() == held

    assert isinstance(await store.commit(issued("token", NOW)), AlreadySpent)
    assert isinstance(await other.commit(issued("token", NOW)), AlreadySpent)
    assert await store.state_epoch() != held
    assert_chained(await other.events())


@pytest.mark.usefixtures("looking")
async def test_a_store_that_others_made_anew_shows_even_when_it_has_grown_longer(
    own_redis: RedisServer, opened: Open
) -> None:
    store = await opened(own_redis.url)
    await store.commit(issued("token", NOW))
    own_redis.command("FLUSHALL")
    other = await opened(own_redis.url)
    for _ in range(3):
        await other.commit(an_entry())

    assert isinstance(await store.commit(issued("token", NOW)), AlreadySpent)


async def test_a_server_that_is_made_safe_after_its_crash_has_lost_writes_all_the_same(
    tmp_path: Path, opened: Open, clock: FrozenClock
) -> None:
    with redis_server(tmp_path, "--appendfsync", "everysec") as server:
        store = await opened(server.url)
        server.kill()
        port = server.port
    with_all = RedisServer(tmp_path, port=port)
    with_all.start()
    try:
        clock.advance(1)
        assert isinstance(await store.commit(issued("of before", NOW)), AlreadySpent)
        assert isinstance(await store.commit(issued("of after", NOW + 2)), Committed)
        # From now on it loses nothing.
        with_all.kill()
        with_all.start()
        assert isinstance(await store.commit(issued("later", NOW + 2)), Committed)
    finally:
        with_all.kill()


async def test_a_token_of_an_issuer_whose_clock_is_ahead_is_refused_as_well(
    tmp_path: Path, opened: Open, clock: FrozenClock
) -> None:
    with redis_server(tmp_path, "--appendfsync", "everysec") as server:
        store = await opened(server.url)
        assert isinstance(await store.commit(issued("token", NOW + 30)), Committed)
        server.kill()
        server.start()
        await store.commit(an_entry())
        # As if the last second were lost.
        server.command("DEL", redis_keys.SPENDS)
        clock.advance(40)

        assert isinstance(await store.commit(issued("token", NOW + 30)), AlreadySpent)
        assert isinstance(await store.commit(issued("of after", NOW + 31)), Committed)


@pytest.mark.usefixtures("looking")
async def test_a_server_that_has_evicted_meanwhile_is_not_trusted_with_what_was_issued_before(
    own_redis: RedisServer, opened: Open, clock: FrozenClock
) -> None:
    store = await opened(own_redis.url)
    await store.commit(issued("token", NOW))
    for number in range(50):
        own_redis.command("SET", f"other:{number}", "x" * 10_000)
    used = int(own_redis.command("INFO", "memory").split("used_memory:")[1].split()[0])
    own_redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
    own_redis.command("CONFIG", "SET", "maxmemory", used - 50_000)
    until(lambda: "evicted_keys:0" not in own_redis.command("INFO", "stats"))
    own_redis.command("CONFIG", "SET", "maxmemory", 0)
    own_redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    if own_redis.command("EXISTS", redis_keys.STATE) == "0":
        await refused(store)
        return
    clock.advance(1)

    assert isinstance(await store.commit(issued("another", NOW)), AlreadySpent)
    assert isinstance(await store.commit(issued("of after", NOW + 2)), Committed)


@pytest.mark.usefixtures("looking")
async def test_a_server_that_begins_to_evict_is_left_without_a_new_connection(
    own_redis: RedisServer, opened: Open
) -> None:
    store = await opened(own_redis.url)
    await store.commit(an_entry())
    own_redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")

    await refused(store, a_spend("token"))
    own_redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert isinstance(await store.commit(a_spend("token")), Committed)


@pytest.mark.usefixtures("looking")
async def test_a_replica_that_is_added_is_waited_for_from_then_on(
    own_redis: RedisServer, copy: RedisServer, opened: Open
) -> None:
    store = await opened(own_redis.url)
    await store.commit(an_entry())
    replicating(own_redis, copy)
    assert isinstance(await store.commit(an_entry()), Committed)
    copy.pause()

    with impatient():
        await refused(store)
    copy.resume()


async def test_what_is_found_done_already_has_come_to_a_replica_as_well(
    own_redis: RedisServer, copy: RedisServer, opened: Open
) -> None:
    replicating(own_redis, copy)
    store = await opened(own_redis.url)
    await store.commit(an_entry())
    copy.pause()

    for _ in range(2):
        # Both times it is in no replica, and would be lost with the primary.
        with impatient(), pytest.raises(Unavailable):
            await store.revoke_token("t-1", int(NOW) + 60, an_entry().event)
        with impatient(), pytest.raises(Unavailable):
            await store.switch_issuer("github", an_entry().event, enabled=False)
        with impatient(), pytest.raises(Unavailable):
            await store.lift_block("none", an_entry().event)
    copy.resume()

    assert not await store.revoke_token("t-1", int(NOW) + 60, an_entry().event)
    assert not await store.switch_issuer("github", an_entry().event, enabled=False)


async def test_a_broker_that_writes_nothing_leaves_a_primary_of_before(
    own_redis: RedisServer, copy: RedisServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.stores.redis_session.LOOK_SECONDS", 0)
    monkeypatch.setattr("broker.stores.redis_writer.IDLE_SECONDS", 0.05)
    async with wire_to(own_redis.port) as wire:
        store = await opened(wire.url)
        await store.commit(an_entry())
        copied(own_redis, copy)
        own_redis.command("REPLICAOF", "127.0.0.1", copy.port)
        before = await store.state_epoch()
        # Connections for reading are open, but the next ones lead to another server.
        wire.change_server(copy.port)

        for _ in range(3000):
            if await store.state_epoch() != before:
                break
            await asyncio.sleep(0.02)
        assert await store.state_epoch() > before
        await store.close()
