"""Stores of either kind that hold one of everything, and the places to copy them to."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from broker.core.redis_address import read_redis_address
from broker.ports import Store
from broker.settings import SqliteStoreLocation
from broker.stores.opening import StoreLocation, open_store
from broker.testing import FrozenClock
from tests.redis_server import RedisServer, redis_server
from tests.stores.entries import NOW

Opened = Callable[[StoreLocation], Awaitable[Store]]


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
async def opened(clock: FrozenClock) -> AsyncIterator[Opened]:
    """Open stores that are closed in the end."""
    async with AsyncExitStack() as stack:

        async def opening(location: StoreLocation) -> Store:
            store = await open_store(location, clock)
            stack.push_async_callback(store.close)
            return store

        yield opening


Place = Callable[[str], StoreLocation]


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """Name a place for a store of a kind, where there is none."""
    databases = iter(range(1, 16))

    def location(kind: str) -> StoreLocation:
        if kind == "sqlite":
            return SqliteStoreLocation(tmp_path / os.urandom(4).hex() / "broker.db")
        url = request.getfixturevalue("redis").url.removesuffix("/0")
        return read_redis_address(f"{url}/{0 if kind == 'first redis' else next(databases)}")

    return location


@pytest.fixture
def own_small_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a server that has room for nothing."""
    with redis_server(tmp_path / "redis", "--maxmemory", "1mb") as server:
        yield server
