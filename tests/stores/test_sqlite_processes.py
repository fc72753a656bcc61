"""Several processes on one SQLite file, and processes that are killed (contract §7)."""

import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.stores.sqlite import SqliteStore
from tests.stores.entries import assert_chained

ROOT = Path(__file__).parents[2]

OpenSqlite = Callable[[], Awaitable[SqliteStore]]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What a process was told about one of its spends."""

    number: int
    event_id: str
    receipt: str
    sequence: int

    @classmethod
    def of(cls, line: str) -> "Acknowledged":
        number, event_id, receipt, sequence = line.split()
        return cls(int(number), event_id, receipt, int(sequence))


def start(database: Path, first: int, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.stores.spending_process"]
    return subprocess.Popen(
        [*command, str(database), str(first), str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def run_two_at_once(database: Path, count: int) -> list[Acknowledged]:
    """Let two processes spend the same numbers in a database that does not exist yet."""
    processes = [start(database, 0, count), start(database, 0, count)]
    lines = [process.communicate(timeout=120)[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    return [Acknowledged.of(line) for line in lines[0] + lines[1]]


def run_until_killed(database: Path, first: int, receipts: int) -> list[Acknowledged]:
    """Kill a process that spends numbers from `first` on, after so many receipts."""
    with start(database, first, 1_000_000) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(receipts)]
        process.kill()
        lines += process.stdout.readlines()
    return [Acknowledged.of(line) for line in lines]


def assert_kept(acknowledged: list[Acknowledged], events: list[dict[str, Any]]) -> None:
    """Check that the file holds all that was acknowledged, and that nothing was spent twice."""
    assert_chained(events)
    outcomes = {"Committed": "success", "AlreadySpent": "refused"}
    for receipt in acknowledged:
        event = events[receipt.sequence - 1]
        assert (event["id"], event["outcome"]) == (receipt.event_id, outcomes[receipt.receipt])
    spent = Counter(event["subject"] for event in events if event["outcome"] == "success")
    assert set(spent.values()) == {1}


async def test_two_processes_append_to_one_chain_and_spend_nothing_twice(
    database: Path, open_sqlite: OpenSqlite
) -> None:
    acknowledged = run_two_at_once(database, 300)
    events = await (await open_sqlite()).events(limit=1000)

    assert len(events) == len(acknowledged) == 600
    assert_kept(acknowledged, events)
    winners = [receipt.number for receipt in acknowledged if receipt.receipt == "Committed"]
    assert sorted(winners) == list(range(300))


async def test_a_killed_process_loses_nothing_that_it_was_told_was_written(
    database: Path, open_sqlite: OpenSqlite
) -> None:
    acknowledged: list[Acknowledged] = []
    for round_number in range(20):
        # Each round begins with numbers of the one before it, acknowledged and not.
        first = max((receipt.number for receipt in acknowledged), default=0) - 10
        acknowledged += run_until_killed(database, max(first, 0), receipts=20 + 17 * round_number)

    events = await (await open_sqlite()).events(limit=100_000)
    assert len(events) >= len(acknowledged) > 20 * 20
    assert_kept(acknowledged, events)
