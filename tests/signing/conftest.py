"""A store and a master key for the keys of a broker."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.signing.master_key import MasterKey
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock

NOW = 1_800_000_000.0


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture
async def store(tmp_path: Path, clock: FrozenClock) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "broker.db", clock)
    yield opened
    await opened.close()


@pytest.fixture
def master_key() -> MasterKey:
    return MasterKey(bytes(range(32)))
