"""A real store with a chain in it, and the key that signs its heads."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.core.audit_head import HeadKey
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock

NOW = 1_800_000_000.0


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "broker.db"


@pytest.fixture
async def store(database: Path, clock: FrozenClock) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(database, clock)
    yield store
    await store.close()


@pytest.fixture
def key() -> HeadKey:
    return HeadKey.of_seed(bytes(range(32)))
