"""The stores that the conformance suite runs on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from broker.core.redis_address import read_redis_address
from broker.stores.redis import RedisStore
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.redis_server import RedisServer
from tests.stores.entries import NOW, ReadableStore

OpenStore = Callable[[], Awaitable[ReadableStore]]
"""Opens the same stored state anew at each call, as another replica would."""


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "data" / "broker.db"


@pytest.fixture
async def open_sqlite(
    database: Path, clock: FrozenClock
) -> AsyncIterator[Callable[[], Awaitable[SqliteStore]]]:
    async with AsyncExitStack() as stack:

        async def open_store() -> SqliteStore:
            store = await SqliteStore.open(database, clock)
            stack.push_async_callback(store.close)
            return store

        yield open_store


@pytest.fixture
async def open_redis(
    redis: RedisServer, clock: FrozenClock
) -> AsyncIterator[Callable[[], Awaitable[RedisStore]]]:
    """Open stores as a user that may do what the page of the store names, and nothing else."""
    redis.make_user("password")
    address = read_redis_address(redis.url.replace("//", "//broker:password@"))
    async with AsyncExitStack() as stack:

        async def open_store() -> RedisStore:
            store = await RedisStore.open(address, clock)
            stack.push_async_callback(store.close)
            return store

        yield open_store


@pytest.fixture(params=["sqlite", "redis"])
def open_store(request: pytest.FixtureRequest) -> OpenStore:
    opened: OpenStore = request.getfixturevalue(f"open_{request.param}")
    return opened


@pytest.fixture
async def store(open_store: OpenStore) -> ReadableStore:
    return await open_store()
