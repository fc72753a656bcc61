"""Long work on the event loop, a slice at a time, with requests served in between."""

import asyncio
from time import perf_counter
from typing import Final, TypeVar

from broker.core.steps import Steps

SLICE_SECONDS: Final = 0.002

PAUSE_SECONDS: Final = 0.001
"""NOTE: a loop that never sleeps keeps the interpreter's lock from the thread that commits, which
needs it for every statement: requests would wait for all of the work instead of a slice."""

T = TypeVar("T")


async def finish_in_slices(steps: Steps[T]) -> T:
    """Do all of the work, letting others run for a moment after every two milliseconds."""
    ends_at = perf_counter() + SLICE_SECONDS
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if perf_counter() >= ends_at:
            await asyncio.sleep(PAUSE_SECONDS)
            ends_at = perf_counter() + SLICE_SECONDS
