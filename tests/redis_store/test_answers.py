"""Answers that no Redis server gives, or gives to a broker that it does not know: never success."""

import asyncio
import logging

import pytest

from broker.core.errors import ConfigurationError, Unavailable
from broker.core.redis_address import read_redis_address
from broker.ports import AlreadySpent, Committed
from broker.stores import redis_keys
from broker.stores.redis import store_exists
from broker.stores.redis_link import Link, open_link
from broker.stores.redis_pool import LinkPool
from tests.redis_server import RedisServer, redis_server
from tests.redis_store.conftest import Open
from tests.redis_store.wire import wire_to
from tests.stores.entries import a_spend, an_entry, an_event, assert_chained

GARBAGE = [
    b"+OK\r\n",
    b":1\r\n",
    b"_\r\n",
    b"*0\r\n",
    b"*1\r\n$2\r\nOK\r\n",
    b"*1\r\n$4\r\ndon\xff\r\n",
    b"*1\r\n*1\r\n$4\r\ndone\r\n",
    b"*2\r\n$5\r\nmoved\r\n$1\r\n1\r\n",
    b"*5\r\n$5\r\nmoved\r\n$1\r\nx\r\n$1\r\n1\r\n$1\r\n1\r\n*0\r\n",
    b"*5\r\n$5\r\nmoved\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n*1\r\n:7\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"\x00\x01\x02\r\n",
]


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_an_answer_that_none_is_asks_again_and_what_was_spent_is_spent_once(
    redis: RedisServer, opened: Open, garbage: bytes
) -> None:
    async with wire_to(redis.port) as wire:
        store = await opened(wire.url)
        await store.commit(an_entry())
        wire.answer_instead = garbage

        # The server has taken it, though its answer did not come.
        assert await store.commit(a_spend("token")) == Committed(2)
        assert await store.commit(a_spend("token")) == AlreadySpent(3)
        assert_chained(await store.events())
        await store.close()


async def test_a_server_of_another_kind_is_told_in_one_line(
    opened: Open, unused_tcp_port: int
) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", unused_tcp_port):
        with pytest.raises(ConfigurationError, match="the store cannot be used: "):
            await opened(f"redis://127.0.0.1:{unused_tcp_port}")


async def test_a_server_that_repeats_what_it_does_not_know_shows_no_password(
    tmp_path_factory: pytest.TempPathFactory, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path_factory.mktemp("redis")
    without = ("--rename-command", "HELLO", "", "--rename-command", "AUTH", "")
    with (
        redis_server(folder, *without) as server,
        caplog.at_level(logging.DEBUG),
        pytest.raises(ConfigurationError) as told,
    ):
        await opened(server.url.replace("//", "//broker:hunter2@"))

    assert "unknown command" in str(told.value)
    assert "hunter2" not in str(told.value) + caplog.text


async def test_a_store_whose_version_is_no_number_is_told_of(redis: RedisServer) -> None:
    redis.command("HSET", redis_keys.STATE, "schema", "x")

    with pytest.raises(ConfigurationError, match="damaged"):
        await store_exists(read_redis_address(redis.url))


async def test_a_head_that_is_no_head_is_refused(redis: RedisServer, opened: Open) -> None:
    store = await opened(redis.url)
    redis.command("HSET", redis_keys.STATE, "seq", "x")

    with pytest.raises(Unavailable):
        await store.commit(an_entry())
    redis.command("HSET", redis_keys.STATE, "seq", 0)
    assert await store.commit(an_entry()) == Committed(1)


async def test_a_query_under_way_gives_its_connection_to_nobody_after_a_change_of_server(
    redis: RedisServer,
) -> None:
    pool = LinkPool(read_redis_address(redis.url))
    begun, goes_on = asyncio.Event(), asyncio.Event()
    used: list[Link] = []

    async def slow(link: Link) -> None:
        used.append(link)
        begun.set()
        await goes_on.wait()

    asked = asyncio.create_task(pool.read(slow))
    await begun.wait()
    await pool.drop()
    goes_on.set()
    await asked

    assert not used[0].usable
    await pool.close()


async def test_a_call_that_is_given_up_leaves_no_answer_to_another(redis: RedisServer) -> None:
    async with wire_to(redis.port) as wire:
        link = await open_link(read_redis_address(wire.url))
        wire.delay = 0.2
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(link.call("SET", "key", "value"), 0.05)

        assert not link.usable


# --- Rows that somebody else has written ----------------------------------------------------------

DAMAGED = ["garbage", "[]", "{}", '{"content": 7}', "\x00"]


@pytest.mark.parametrize("text", DAMAGED)
async def test_rows_that_grant_and_cannot_be_read_are_given_as_altered(
    redis: RedisServer, opened: Open, text: str
) -> None:
    store = await opened(redis.url)
    for key in redis_keys.accounts("account"), redis_keys.accounts("override"), redis_keys.SECRETS:
        redis.command("HSET", key, "one", text)
    redis.command("HSET", redis_keys.SECRET_DIGESTS, "digest", "one")
    redis.command("SADD", redis_keys.secrets_of("cron"), "one")
    redis.command("HSET", redis_keys.SIGNING_KEYS, "RS256|1", text)
    redis.command("HSET", redis_keys.SIGNING_KEYS, "RS256|x", text)

    account = await store.account_row("one", "account")
    assert account is not None
    assert not account.content
    # Its id is not given to another account.
    assert await store.given_ids(["one"]) == {"one"}
    assert await store.secret_row(b"digest") is None
    assert [row.content for row in await store.secret_rows("cron")] == [b""]
    assert [row.wrapped for row in await store.signing_key_rows()] == [b""]


@pytest.mark.parametrize("text", [*DAMAGED, '{"where": 1, "reason": 1, "created_at": 1}'])
async def test_nobody_passes_a_block_that_cannot_be_read(
    redis: RedisServer, opened: Open, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    store = await opened(redis.url)
    redis.command("HSET", redis_keys.BLOCKS, "b-1", text)

    with pytest.raises(Unavailable):
        await store.blocks()
    assert "block b-1 is damaged: remove it by HDEL {broker}:1:blocks" in caplog.text
    assert await store.lift_block("b-1", an_event())
    assert await store.blocks() == []
