"""Counts that the processes of one store share in a file of their own."""

import asyncio
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import apsw
import pytest

from broker.core.errors import Unavailable
from broker.core.limits import Rate, Total
from broker.ports import CountReport
from broker.stores import sqlite_limits
from broker.stores.sqlite_limits import SqliteLimits
from tests.stores.entries import NOW

ROOT = Path(__file__).parents[2]
RATE = Rate(10, 60)
OpenLimits = Callable[[], SqliteLimits]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "broker.db"


@pytest.fixture
async def open_limits(store: Path) -> AsyncIterator[OpenLimits]:
    async with AsyncExitStack() as stack:

        def opened() -> SqliteLimits:
            limits = SqliteLimits(store)
            stack.push_async_callback(limits.close)
            return limits

        yield opened


def report(own: int, key: bytes = b"key") -> CountReport:
    return CountReport(key, RATE, own)


async def test_what_one_process_counts_another_hears(open_limits: OpenLimits) -> None:
    one, other = open_limits(), open_limits()

    assert (await one.share([report(3)], NOW)).totals == [Total(NOW, 3)]
    assert (await other.share([report(2), report(1, b"else")], NOW + 1)).totals == [
        Total(NOW, 5),
        Total(NOW + 1, 1),
    ]


async def test_a_window_that_has_ended_begins_anew(open_limits: OpenLimits) -> None:
    limits = open_limits()
    await limits.share([report(3)], NOW)

    assert (await limits.share([report(1)], NOW + 60)).totals == [Total(NOW + 60, 1)]


async def test_processes_know_how_many_they_are(open_limits: OpenLimits, store: Path) -> None:
    one, other = open_limits(), SqliteLimits(store)

    counted = [(await each.share([], NOW)).processes for each in (one, other, one)]
    await other.close()

    assert counted == [1, 2, 2]
    assert (await one.share([], NOW)).processes == 1


async def test_a_process_that_was_killed_counts_a_few_seconds_more(
    open_limits: OpenLimits,
) -> None:
    killed, left = open_limits(), open_limits()
    await killed.share([], NOW)

    assert (await left.share([], NOW + 4)).processes == 2
    assert (await left.share([], NOW + 6)).processes == 1


async def test_only_the_brokers_user_may_read_the_file(
    open_limits: OpenLimits, store: Path
) -> None:
    await open_limits().share([report(1)], NOW)

    mode = store.with_name("broker.db-limits").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


async def test_what_has_ended_does_not_stay_in_the_file(
    open_limits: OpenLimits, store: Path
) -> None:
    limits = open_limits()
    await limits.share([report(1, str(number).encode()) for number in range(50)], NOW)
    await limits.share([report(1)], NOW + 120)

    assert rows(store) == 1


async def test_a_flood_of_callers_does_not_fill_the_disk(
    open_limits: OpenLimits, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_limits, "MAX_ROWS", 20)
    limits = open_limits()
    for number in range(100):
        await limits.share([report(1, str(number).encode())], NOW + number / 100)
    limits._pruned_at = float("-inf")
    await limits.share([report(1)], NOW + 2)

    assert rows(store) == 20


@pytest.mark.parametrize("fault", ["deleted", "damaged", "no database"])
async def test_a_file_that_is_gone_or_damaged_is_made_anew(
    open_limits: OpenLimits, store: Path, fault: str
) -> None:
    limits = SqliteLimits(store)
    await limits.share([report(3)], NOW)
    path = store.with_name("broker.db-limits")
    if fault == "deleted":
        path.unlink()
    await limits.close()
    limits = open_limits()
    if fault != "deleted":
        content = path.read_bytes()
        path.write_bytes(b"x" * 4096 if fault == "no database" else content[:100] + b"\xff" * 8092)
        with pytest.raises(Unavailable):
            await limits.share([report(1)], NOW)

    assert (await limits.share([report(1)], NOW)).totals == [Total(NOW, 1)]


async def test_a_file_that_cannot_be_written_is_told(open_limits: OpenLimits, store: Path) -> None:
    store.with_name("broker.db-limits").mkdir()

    with pytest.raises(Unavailable, match="cannot be shared"):
        await open_limits().share([report(1)], NOW)


async def test_who_holds_the_file_locked_stops_nobody_for_long(
    open_limits: OpenLimits, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_limits, "BUSY_TRIES", 5)
    limits = open_limits()
    await limits.share([], NOW)
    with apsw.Connection(str(store.with_name("broker.db-limits"))) as connection:
        connection.execute("DELETE FROM windows")

        with pytest.raises(Unavailable):
            await limits.share([report(1)], NOW)

    assert (await limits.share([report(1)], NOW)).totals == [Total(NOW, 1)]


COUNTING = """
import asyncio, sys
from pathlib import Path
from broker.core.limits import Rate
from broker.ports import CountReport
from broker.stores.sqlite_limits import SqliteLimits

async def main():
    limits = SqliteLimits(Path(sys.argv[1]))
    for _ in range(200):
        await limits.share([CountReport(b"key", Rate(10, 60), 1)], 1_800_000_000.0)
    await limits.close()

asyncio.run(main())
"""


async def test_no_count_of_several_processes_is_lost(open_limits: OpenLimits, store: Path) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", COUNTING, str(store), env={"PYTHONPATH": str(ROOT)}
        )
        for _ in range(3)
    ]
    assert [await process.wait() for process in processes] == [0, 0, 0]

    assert (await open_limits().share([report(1)], 1_800_000_000.0)).totals[0].requests == 601


def rows(store: Path) -> int:
    connection = apsw.Connection(str(store.with_name("broker.db-limits")))
    try:
        [(count,)] = connection.execute("SELECT count(*) FROM windows")
    finally:
        connection.close()
    return int(count)
