"""Waiting for more of the same: what costs once for all goes together."""

import asyncio
from collections.abc import Callable


async def gather(count: Callable[[], int], *, at_most: int, quiet_turns: int) -> None:
    """Wait until so many wait, or so many turns of the event loop have brought nothing more.

    `count` tells how many wait now. No clock is waited for: an idle turn takes a few microseconds.
    """
    gathered, quiet = count(), 0
    while gathered < at_most and quiet < quiet_turns:
        await asyncio.sleep(0)
        waiting = count()
        gathered, quiet = waiting, 0 if waiting > gathered else quiet + 1
