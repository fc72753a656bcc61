"""Rows 136 and 179: junk without a valid token fills neither the disk nor hides what matters."""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from broker.core.refusal_counts import MAX_EVENTS_PER_WINDOW, RefusalCounts
from broker.grants.counted_refusals import CountedRefusals
from broker.stores.sqlite import SqliteStore
from broker.system import UuidV7Identifiers
from broker.testing import FrozenClock
from tests.audited_broker import AuditedStore
from tests.running_broker import RunningBroker
from tests.stores.entries import assert_chained

ROOT = Path(__file__).parents[2]
FLOOD = """
import asyncio, sys
from pathlib import Path
from broker.core.errors import Reason
from broker.core.refusal_counts import RefusalCounts
from broker.grants.counted_refusals import CountedRefusals
from broker.stores.sqlite import SqliteStore
from broker.system import SystemClock, UuidV7Identifiers
from broker.testing import FrozenClock

async def main():
    clock = FrozenClock(1_800_000_000.0)
    store = await SqliteStore.open(Path(sys.argv[1]), clock)
    counts = RefusalCounts(UuidV7Identifiers().new)
    counted = CountedRefusals(counts, store, clock)
    for number in range(20_000):
        counts.count(Reason.SIGNATURE_INVALID, f"203.0.113.{number % 4}", clock.now())
    clock.advance(60)
    await counted.write_ended()
    await store.close()

asyncio.run(main())
"""


async def test_a_flood_on_several_processes_is_a_few_events_and_every_request_is_counted(
    tmp_path: Path,
) -> None:
    database = tmp_path / "broker.db"
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", FLOOD, str(database), env={"PYTHONPATH": str(ROOT)}
        )
        for _ in range(3)
    ]
    assert [await process.wait() for process in processes] == [0, 0, 0]

    store = await SqliteStore.open(database, FrozenClock())
    events = await store.events(limit=1000)
    await store.close()
    assert len(events) == 3 * 4
    assert sum(event["count"] for event in events) == 60_000
    assert_chained(events)


def test_a_flood_from_very_many_addresses_is_bounded() -> None:
    counts = RefusalCounts(UuidV7Identifiers().new)
    reason: Any = "signature_invalid"
    for number in range(3 * MAX_EVENTS_PER_WINDOW):
        counts.count(reason, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)

    events = counts.take_all()
    assert len(events) == MAX_EVENTS_PER_WINDOW + 1
    assert sum(event.count or 0 for event in events) == 3 * MAX_EVENTS_PER_WINDOW


async def test_counts_of_several_minutes_are_events_of_their_own(tmp_path: Path) -> None:
    clock = FrozenClock()
    store = await SqliteStore.open(tmp_path / "broker.db", clock)
    counts = RefusalCounts(UuidV7Identifiers().new)
    counted = CountedRefusals(counts, store, clock)
    reason: Any = "malformed_request"
    ids = []
    for _ in range(2):
        ids += [counts.count(reason, "192.0.2.1", clock.now()) for _ in range(5)]
        clock.advance(60)
        await counted.write_ended()

    events = await store.events()
    await store.close()
    assert [(event["count"], event["id"]) for event in events] == [(5, ids[0]), (5, ids[5])]


def flood(broker: RunningBroker, requests: int) -> Counter[str]:
    """Send junk of every kind, and count the decisions it is told."""
    told: Counter[str] = Counter()
    for _ in range(requests):
        answers = [
            broker.exchange("no token"),
            broker.exchange(broker.github_token()[:-4] + "AAAA"),
            broker.exchange(broker.buildkite.token({"sub": "x"}, audience="https://elsewhere")),
            broker.request("GET", "/oauth/token"),
            broker.request("DELETE", "/oauth/explain"),
            broker.post({"grant_type": "x" * 100_000}),
            broker.post({"grant_type": "nonsense"}),
            broker.request("POST", "/api/v1/auth/token", content=b"{}"),
        ]
        told.update(answer.json()["decision_id"] for answer in answers)
    return told


def test_every_junk_request_is_in_the_count_that_it_is_told(tmp_path: Path) -> None:
    with RunningBroker(tmp_path).serving() as broker:
        told = flood(broker, 20)
        events = broker.decisions()
        counted = {event["id"]: event["count"] for event in events if event["count"] is not None}

        one_by_one = {event["id"] for event in events if event["count"] is None}
        # Signed by a trusted issuer for somebody else: that one is on record by itself.
        assert one_by_one <= told.keys()
        assert len(one_by_one) == 20
        assert {name: told[name] for name in counted} == counted
        assert told.keys() == counted.keys() | one_by_one
        assert len(counted) <= 8


def test_what_matters_is_found_behind_a_flood(tmp_path: Path) -> None:
    with RunningBroker(tmp_path).serving() as broker:
        flood(broker, 10)
        assert broker.exchange(broker.github_token()).status_code == 200
        flood(broker, 10)
        broker.events()

        done = AuditedStore(broker).audit("list", "--json", "--outcome", "success", "--limit", "1")
        [event] = [json.loads(line) for line in done.stdout.splitlines()]
        assert event["type"] == "token.exchanged"
        assert AuditedStore(broker).verified()["ok"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_a_wrong_method_is_counted_and_says_nothing_of_its_token(
    tmp_path: Path, method: str
) -> None:
    with RunningBroker(tmp_path).serving() as broker:
        answer = broker.request(method, "/oauth/token?subject_token=secret-text")

        [event] = broker.decisions()
        assert (answer.status_code, event["count"]) == (405, 1)
        assert event["id"] == answer.json()["decision_id"]
        assert "secret-text" not in json.dumps(event)
