"""Following the store: what this process holds in memory is read anew when it changed there.

Every process serves from memory. A change anywhere raises the epoch in the store; who notices reads
what changed and goes on. Commits compare the epoch, so that nothing is decided by what is past.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from broker.core.errors import ConfigurationError, Reason, Unavailable
from broker.ports import StateEpoch

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the epoch; who commits notices a change at once."""

Refresh = Callable[[], Awaitable[None]]
"""Reads one kind of thing anew. Raises `Unavailable`, or `ConfigurationError` for broken rows."""

logger = logging.getLogger(__name__)


class HeldState:
    """The epoch of what is held, and how to catch up with the store; implements the port `State`.

    `held` read the policies, the keys and whatever else decides, each for itself.
    """

    def __init__(self, store: StateEpoch, held: Sequence[Refresh]) -> None:
        """Nothing is held before the first `read`."""
        self._store = store
        self._held = held
        self._epoch = 0
        self._lock = asyncio.Lock()

    def epoch(self) -> int:
        """Give the epoch at which all that is held was current."""
        return self._epoch

    async def read(self) -> None:
        """Read everything that changed since. Raises `Unavailable` and `ConfigurationError`."""
        async with self._lock:
            await self._read()

    async def refresh(self) -> None:
        """Read anew whatever changed since. Raises `Unavailable`."""
        try:
            await self.read()
        except ConfigurationError as error:
            logger.error("what the store holds cannot be used: %s", error)  # noqa: TRY400
            raise Unavailable(Reason.STORE_UNAVAILABLE, "the state cannot be read") from None

    async def run(self) -> None:
        """Look for changes for as long as the broker serves."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self.refresh()
            except Unavailable as error:
                logger.warning("the state is looked at again: %s", error)
            except Exception:
                # Whoever does not look any more would never hear of a block.
                logger.exception("the state could not be looked at")

    async def _read(self) -> None:
        # First the epoch: what is read afterwards is at least as new.
        epoch = await self._store.state_epoch()
        if epoch == self._epoch:
            return
        for read in self._held:
            await read()
        self._epoch = epoch
