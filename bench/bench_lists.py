"""The first page of the audit over HTTP's own query, and what its indexes cost. `make bench-lists`.

`BENCH_EVENTS` is how many events there are; `BENCH_STORE` names a file that is kept between runs.
"""

import asyncio
import json
import os
import random
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench.event_crowd import BEGINS, ENDS, PERMIT, fill
from bench.table import Row, Spread, print_rows
from broker.ports import Entry, EventFilter
from broker.stores.sqlite_file import open_for_writing
from broker.stores.sqlite_ledger import PendingEntry, append
from broker.stores.sqlite_reading import SqliteReading
from broker.system import UuidV7Identifiers

if TYPE_CHECKING:
    import apsw

EVENTS = int(os.environ.get("BENCH_EVENTS", "5000000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
RESULTS = Path("build/bench/lists.json")
BATCH = 16
BATCHES = 100
DAY = 86_400
MANY = tuple(f"account-{number}" for number in range(500, 600))

SEARCHES = {
    "everything": EventFilter(),
    "service account, frequent": EventFilter(service_account="account-0"),
    "service account, seldom": EventFilter(service_account="seldom"),
    "type token.exchanged": EventFilter(type="token.exchanged"),
    "type, seldom": EventFilter(type="key.rotated"),
    "outcome success": EventFilter(outcome="success"),
    "outcome refused": EventFilter(outcome="refused"),
    "outcome error, seldom": EventFilter(outcome="error"),
    "issuer, frequent": EventFilter(issuer="github"),
    "issuer, seldom": EventFilter(issuer="seldom"),
    "policy, frequent": EventFilter(policy="account-0-main"),
    "policy, seldom": EventFilter(policy="seldom-main"),
    "a day two months ago": EventFilter(since=BEGINS + 30 * DAY, until=BEGINS + 31 * DAY),
    "since yesterday": EventFilter(since=ENDS - DAY),
    "service account, a day two months ago": EventFilter(
        service_account="account-0", since=BEGINS + 30 * DAY, until=BEGINS + 31 * DAY
    ),
    "service account that has no refusals, refused": EventFilter(
        service_account="account-0", outcome="refused"
    ),
    "100 accounts of an organization": EventFilter(service_accounts=MANY),
}
INDEXES = {
    "without events_by_type, events_by_outcome": (
        "DROP INDEX events_by_type; DROP INDEX events_by_outcome"
    ),
    "as they are": "",
    "with one on the policies": (
        "CREATE INDEX events_by_policy ON events (body ->> '$.policies[0]')"
        " WHERE body ->> '$.policies[0]' IS NOT NULL"
    ),
}


async def measure_pages(store: SqliteReading) -> list[Row]:
    """Time the first page of every search, each once per round and once before."""
    times: dict[str, list[float]] = {name: [] for name in SEARCHES}
    notes: dict[str, str] = {}
    for number in range(ROUNDS + 1):
        for name, wanted in SEARCHES.items():
            begin = time.perf_counter()
            page = await store.event_page(wanted)
            if number:
                times[name].append((time.perf_counter() - begin) * 1000)
            notes[name] = f"20; {len(page.events)} found"
            notes[name] += ", more may follow" if page.next_behind else ""
    return [Row(name, Spread.of(times[name]), "ms", notes[name]) for name in SEARCHES]


def measure_indexes(folder: Path) -> list[Row]:
    """Take the CPU of the ledger's transaction per event, in batches, by the indexes there are."""
    connections: dict[str, apsw.Connection] = {}
    for number, (name, change) in enumerate(INDEXES.items()):
        file = folder / f"indexes-{number}.db"
        fill(file, 100_000)
        connections[name] = open_for_writing(file)
        connections[name].execute(change)
    costs: dict[str, list[float]] = {name: [] for name in INDEXES}
    for number in range(ROUNDS + 1):
        for name, connection in connections.items():
            batches = [_batch() for _ in range(BATCHES)]
            begin = time.process_time()
            for batch in batches:
                append(connection, batch, ENDS)
            if number:
                cost = (time.process_time() - begin) / BATCHES / BATCH
                costs[name].append(cost * 1e6)
    for connection in connections.values():
        connection.close()
    return [Row(name, Spread.of(costs[name]), "µs") for name in INDEXES]


def _batch() -> list[PendingEntry]:
    identifiers, now = UuidV7Identifiers(), time.time()
    batch = []
    for _ in range(BATCH):
        account = f"account-{int(1000 * random.random() ** 3)}"
        event = replace(
            PERMIT,
            id=identifiers.new(now),
            token_id=identifiers.new(now),
            issuer="github",
            service_account=account,
            policies=(f"{account}-main",),
        )
        batch.append(PendingEntry.of(Entry(event)))
    return batch


def main() -> None:
    """Measure, print the tables, and write them as JSON."""
    kept = os.environ.get("BENCH_STORE")
    with TemporaryDirectory() as directory:
        file = Path(kept) if kept else Path(directory, "events.db")
        if not file.exists():
            fill(file, EVENTS)
        tables = {
            f"First page of 100 among {EVENTS:,} events": asyncio.run(
                measure_pages(SqliteReading(file))
            ),
            "CPU of the transaction per event, in batches of 16": measure_indexes(Path(directory)),
        }
    for title, rows in tables.items():
        print_rows(title, rows)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    members = {title: [row.as_json() for row in rows] for title, rows in tables.items()}
    RESULTS.write_text(json.dumps(members, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
