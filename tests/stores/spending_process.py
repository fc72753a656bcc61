"""A process that spends numbered tokens and says on stdout what was acknowledged.

Run as `python -m tests.stores.spending_process DATABASE FIRST COUNT`. It writes one line per
receipt: the number, the event's id, what became of the spend, and the event's place in the chain.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from broker.ports import Stale
from broker.stores.sqlite import SqliteStore
from broker.system import UuidV7Identifiers
from broker.testing import FrozenClock
from tests.stores.entries import NOW, a_spend

CALLERS = 8


async def main(database: Path, first: int, count: int) -> None:
    store = await SqliteStore.open(database, FrozenClock(NOW))
    numbers = iter(range(first, first + count))
    await asyncio.gather(*(_spend(store, numbers) for _ in range(CALLERS)))
    await store.close()


async def _spend(store: SqliteStore, numbers: Iterator[int]) -> None:
    identifiers = UuidV7Identifiers()
    for number in numbers:
        entry = a_spend(str(number), id=identifiers.new(NOW), subject=str(number))
        receipt = await store.commit(entry)
        assert not isinstance(receipt, Stale)
        line = f"{number} {entry.event.id} {type(receipt).__name__} {receipt.sequence}\n"
        os.write(sys.stdout.fileno(), line.encode())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
