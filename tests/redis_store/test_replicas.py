"""A primary with replicas: a write waits for one, and another primary is not trusted (row 182)."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from broker.core.errors import ConfigurationError, Unavailable
from broker.ports import AlreadySpent, Committed, Receipt
from broker.stores.redis import RedisStore
from broker.testing import FrozenClock
from broker.testing.loopback import free_port
from tests.redis_server import RedisServer, redis_server, sentinel
from tests.redis_store.conftest import Open, impatient
from tests.redis_store.test_faults import issued, refused
from tests.redis_store.wire import wire_to
from tests.stores.entries import NOW, an_entry, assert_chained

Servers = list[RedisServer]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Run a primary and two replicas of it."""
    with ExitStack() as stack:
        at_once = ("--repl-diskless-sync-delay", "0")
        primary = stack.enter_context(redis_server(tmp_path / "primary", *at_once))
        options = ("--replicaof", f"127.0.0.1 {primary.port}", *at_once)
        replicas = [
            stack.enter_context(redis_server(tmp_path / f"replica-{number}", *options))
            for number in range(2)
        ]
        until(lambda: "connected_slaves:2" in primary.command("INFO", "replication"))
        until(lambda: all("master_link_status:up" in info(each) for each in replicas))
        yield [primary, *replicas]


def info(server: RedisServer) -> str:
    return server.command("INFO", "replication")


def until(holds: Callable[[], bool]) -> None:
    for _ in range(3000):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it never came to hold")


async def committed_in_the_end(store: RedisStore) -> Receipt:
    for _ in range(600):
        try:
            return await store.commit(an_entry())
        except Unavailable:
            await asyncio.sleep(0.1)
    raise AssertionError("the store never came back")


async def test_a_replica_is_no_store(servers: Servers, opened: Open) -> None:
    with pytest.raises(ConfigurationError, match="it is a replica: name its primary"):
        await opened(servers[1].url)


async def test_a_write_counts_once_it_has_come_to_a_replica(servers: Servers, opened: Open) -> None:
    primary, first, second = servers
    store = await opened(primary.url)
    assert await store.commit(an_entry()) == Committed(1)
    first.kill()
    assert await store.commit(an_entry()) == Committed(2)
    second.pause()

    with impatient():
        await refused(store)
        assert not await store.ready()
    second.resume()

    assert isinstance(await committed_in_the_end(store), Committed)
    assert_chained(await store.events())


async def test_after_a_failover_what_was_issued_before_is_refused(
    servers: Servers, opened: Open, clock: FrozenClock, tmp_path: Path
) -> None:
    primary = servers[0]
    with sentinel(tmp_path / "sentinel", "main", primary) as watching:
        url = f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{watching.port}/main/0"
        until(lambda: "slaves=2" in watching.command("INFO", "sentinel"))
        store = await opened(url)
        assert await store.commit(issued("used", NOW)) == Committed(1)
        epoch = await store.state_epoch()
        clock.advance(10)
        primary.kill()

        receipt = await committed_in_the_end(store)

        assert isinstance(receipt, Committed)
        # What was read before is not taken for what is there now.
        assert await store.state_epoch() > epoch
        assert isinstance(await store.commit(issued("used", NOW)), AlreadySpent)
        # Nobody knows of these whether they were used.
        assert isinstance(await store.commit(issued("of before", NOW + 9)), AlreadySpent)
        assert isinstance(await store.commit(issued("of after", NOW + 11)), Committed)
        assert_chained(await store.events())
        another = await opened(url)
        assert isinstance(await another.commit(issued("another", NOW + 9)), AlreadySpent)


async def test_a_sentinel_that_names_a_server_of_before_is_not_the_only_one_asked(
    servers: Servers, opened: Open, tmp_path: Path
) -> None:
    with (
        sentinel(tmp_path / "stale", "main", servers[1]) as stale,
        sentinel(tmp_path / "sentinel", "main", servers[0]) as watching,
    ):
        store = await opened(
            f"redis+sentinel://127.0.0.1:{stale.port},127.0.0.1:{watching.port}/main/0"
        )
        assert await store.commit(an_entry()) == Committed(1)
        with pytest.raises(ConfigurationError, match="it names a replica"):
            await opened(f"redis+sentinel://127.0.0.1:{stale.port}/main/0")


@pytest.mark.parametrize(
    "answer", [b"+OK\r\n", b"*1\r\n$1\r\nx\r\n", b"*2\r\n$1\r\nx\r\n$1\r\nx\r\n"]
)
async def test_what_no_sentinel_answers_is_no_address(
    own_redis: RedisServer, opened: Open, answer: bytes
) -> None:
    async with wire_to(own_redis.port) as wire:
        wire.answer_instead = answer
        with pytest.raises(ConfigurationError, match="it answers what no Sentinel does"):
            await opened(f"redis+sentinel://127.0.0.1:{wire.port}/main/0")


async def test_sentinels_that_know_no_such_server_are_told_of(
    servers: Servers, opened: Open, tmp_path: Path
) -> None:
    with (
        sentinel(tmp_path / "sentinel", "main", servers[0]) as watching,
        pytest.raises(ConfigurationError, match="it knows no other"),
    ):
        await opened(f"redis+sentinel://127.0.0.1:{watching.port}/other/0")
