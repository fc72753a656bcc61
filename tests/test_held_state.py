import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.core.errors import ConfigurationError, Problem, Reason, Unavailable
from broker.held_state import HeldState, Refresh
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.stores.entries import NOW


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "broker.db", FrozenClock(NOW))
    yield store
    await store.close()


class Readings:
    """Counts how often what is held was read anew; the next one fails with `fault`."""

    def __init__(self) -> None:
        self.count = 0
        self.fault: Exception | None = None

    async def read(self) -> None:
        if self.fault is not None:
            raise self.fault
        self.count += 1


async def opened(store: SqliteStore, reads: list[Refresh]) -> HeldState:
    state = HeldState(store, reads)
    await state.read()
    return state


async def test_everything_is_read_once_at_the_start(store: SqliteStore) -> None:
    policies, keys = Readings(), Readings()
    state = await opened(store, [policies.read, keys.read])

    assert (policies.count, keys.count) == (1, 1)
    assert state.epoch() == await store.state_epoch()


async def test_what_changed_in_the_store_is_read_anew(store: SqliteStore) -> None:
    readings = Readings()
    state = await opened(store, [readings.read])
    await store.keep_policy_set("another", b"content", NOW)
    await state.refresh()

    assert readings.count == 2
    assert state.epoch() == await store.state_epoch()


async def test_looking_goes_on_whatever_was_wrong_with_what_was_read(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.held_state.LOOK_EVERY", 0.01)
    readings = Readings()
    state = await opened(store, [readings.read])
    readings.fault = ValueError("no JSON")
    looking = asyncio.create_task(state.run())
    await store.keep_policy_set("another", b"content", NOW)
    await asyncio.sleep(0.05)
    readings.fault = None

    for _ in range(6000):
        if readings.count == 2:
            break
        await asyncio.sleep(0.01)
    looking.cancel()
    assert readings.count == 2
    assert state.epoch() == await store.state_epoch()


async def test_nothing_is_read_while_nothing_changes(store: SqliteStore) -> None:
    readings = Readings()
    state = await opened(store, [readings.read])
    await state.refresh()

    assert readings.count == 1


@pytest.mark.parametrize(
    "fault",
    [
        Unavailable(Reason.STORE_UNAVAILABLE, "gone"),
        ConfigurationError([Problem("master_key_file", 0, 0, "another")]),
    ],
)
async def test_what_could_not_be_read_stays_behind_and_is_tried_again(
    store: SqliteStore, fault: Exception
) -> None:
    readings = Readings()
    state = await opened(store, [readings.read])
    held = state.epoch()
    await store.keep_policy_set("another", b"content", NOW)
    readings.fault = fault
    with pytest.raises(Unavailable):
        await state.refresh()
    assert state.epoch() == held

    readings.fault = None
    await state.refresh()
    assert state.epoch() == await store.state_epoch()
