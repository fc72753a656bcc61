"""A store, a master key and a schedule for the keys of a broker."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.core.key_line import RotationRules
from broker.ports import Clock
from broker.signing.key_upkeep import KeyUpkeep
from broker.signing.keyring import Keyring
from broker.signing.master_key import MasterKey
from broker.stores.sqlite import SqliteStore
from broker.system import UuidV7Identifiers
from broker.testing import FrozenClock

NOW = 1_800_000_000.0
DAY = 86_400.0


def rules(*algorithms: str) -> RotationRules:
    return RotationRules(algorithms, rotate_every=30 * DAY, publish_before_use=DAY, leeway=60)


async def opened_keys(
    store: SqliteStore, master_key: MasterKey, clock: Clock, *algorithms: str
) -> tuple[Keyring, KeyUpkeep]:
    """Read and keep up the keys of a store, as a broker does that starts."""
    keyring = await Keyring.open(store, master_key, trusted_for=DAY / 2)
    upkeep = KeyUpkeep(store, keyring, rules(*algorithms), clock, UuidV7Identifiers())
    await upkeep.keep_up()
    return keyring, upkeep


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
