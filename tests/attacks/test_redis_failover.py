"""Row 182: a replica that lacks the last writes takes the primary's place, and spends them again.

The broker's address of the store leads to another server from one moment to the next, as after a
failover; on that server the CI token was never used.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from broker.core.redis_address import read_redis_address
from broker.stores import redis_keys
from tests.redis_server import RedisServer, redis_server
from tests.redis_store.wire import Wire, wire_to
from tests.special_brokers import SpecialBroker
from tests.workers.several_workers import until

AT_ONCE = ("--repl-diskless-sync-delay", "0")


@contextmanager
def primary_and_replicas(folder: Path, count: int) -> Iterator[list[RedisServer]]:
    with ExitStack() as stack:
        primary = stack.enter_context(redis_server(folder / "primary", *AT_ONCE))
        options = ("--replicaof", f"127.0.0.1 {primary.port}", *AT_ONCE)
        servers = [
            stack.enter_context(redis_server(folder / f"replica-{number}", *options))
            for number in range(count)
        ]
        until(lambda: all(is_in_step(each) for each in servers))
        yield [primary, *servers]


def is_in_step(server: RedisServer) -> bool:
    return "master_link_status:up" in server.command("INFO", "replication")


def spent(server: RedisServer) -> str:
    """Count the CI tokens that it knows to be used."""
    return server.command("ZCARD", redis_keys.SPENDS)


@asynccontextmanager
async def failing_over(
    folder: Path, replicas: int
) -> AsyncIterator[tuple[list[RedisServer], Wire]]:
    with primary_and_replicas(folder, replicas) as servers:
        async with wire_to(servers[0].port) as wire:
            yield servers, wire


@pytest.mark.parametrize("way", ["exchange", "jwt_bearer", "client_assertion"])
async def test_a_token_that_the_new_primary_never_saw_used_is_refused(
    tmp_path: Path, way: str
) -> None:
    async with failing_over(tmp_path, 2) as (servers, wire):
        lead = asyncio.get_running_loop()
        await asyncio.to_thread(attack, tmp_path, servers, wire, lead, way)


def attack(
    folder: Path,
    servers: list[RedisServer],
    wire: Wire,
    loop: asyncio.AbstractEventLoop,
    way: str,
) -> None:
    primary, kept, late = servers
    store = read_redis_address(f"{wire.url}/0")
    with SpecialBroker(folder, store=store).serving() as broker:
        token, unused = broker.github_token(), broker.github_token()
        assert broker.exchange(broker.github_token()).status_code == 200
        until(lambda: spent(late) == "1")

        # Cut off by the network: from here on it lacks what happens.
        late.command("REPLICAOF", "NO", "ONE")
        assert broker.exchange(token).status_code == 200
        assert (spent(primary), spent(late)) == ("2", "1")
        primary.kill()
        kept.kill()
        wire.change_server(late.port)
        asyncio.run_coroutine_threadsafe(wire.lay(whole=True), loop).result(timeout=60)
        # It is a primary now, and its own replica follows it: a write waits for one.
        with redis_server(folder / "new", "--replicaof", f"127.0.0.1 {late.port}", *AT_ONCE) as new:
            until(lambda: is_in_step(new))
            until(lambda: getattr(broker, way)(unused).status_code != 503)

            for each in (token, unused):
                answer = getattr(broker, way)(each)
                assert answer.json()["reason"] == "token_already_used", answer.text
            assert spent(late) == "1"
            broker.clock.advance(1)
            assert broker.exchange(broker.github_token()).status_code == 200
