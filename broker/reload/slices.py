"""Long work on the event loop, a slice at a time, with requests served in between."""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final, TypeVar

from broker.core.steps import Steps

SLICE_SECONDS: Final = 0.001

PAUSE_SECONDS: Final = 0.001
"""NOTE: a loop that never sleeps keeps the interpreter's lock from the thread that commits, which
needs it for every statement: requests would wait for all of the work instead of a slice."""

T = TypeVar("T")


def _always() -> bool:
    return True


async def finish_in_slices(steps: Steps[T], busy: Callable[[], bool] = _always) -> T:
    """Do all of the work, letting others run for a moment after every millisecond.

    The loop always gets its turn; while the ledger is `busy`, its thread does as well.
    """
    ends_at = perf_counter() + SLICE_SECONDS
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if perf_counter() >= ends_at:
            await asyncio.sleep(PAUSE_SECONDS if busy() else 0)
            ends_at = perf_counter() + SLICE_SECONDS
