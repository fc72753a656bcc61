"""Long work on the event loop, a slice at a time, with requests served in between."""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final, TypeVar

from broker.core.steps import Steps
from broker.grants.in_a_row import InARow
from broker.ports import Ledger

SLICE_SECONDS: Final = 0.001

PAUSE_SECONDS: Final = 0.001
"""NOTE: a loop that never sleeps keeps the interpreter's lock from the thread that commits, which
needs it for every statement: requests would wait for all of the work instead of a slice."""

MOST_PAUSES: Final = 5
"""How often in a row the work stands back for requests under way; else a busy broker would never
come to its end."""

T = TypeVar("T")


async def finish_in_slices(steps: Steps[T], busy: Callable[[], bool] | None = None) -> T:
    """Do all of the work, standing back after every millisecond.

    The loop always gets its turn. A request takes several turns from its commit to its answer, and
    would wait for a slice in each: while the process is `busy`, the work goes on standing back.
    """
    ends_at = perf_counter() + SLICE_SECONDS
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if perf_counter() >= ends_at:
            await _stand_back(busy)
            ends_at = perf_counter() + SLICE_SECONDS


def serving(ledger: Ledger) -> bool:
    """Tell whether requests are under way: verified, committed or signed in the next turns."""
    return ledger.busy() or InARow.busy()


async def _stand_back(busy: Callable[[], bool] | None) -> None:
    if busy is None:
        await asyncio.sleep(PAUSE_SECONDS)
        return
    await asyncio.sleep(0)
    for _ in range(MOST_PAUSES):
        if not busy():
            return
        await asyncio.sleep(PAUSE_SECONDS)
