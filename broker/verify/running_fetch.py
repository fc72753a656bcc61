"""A fetch of keys that is under way, and waiting for it: in a thread or in an event loop."""

import asyncio
import threading
import time
from typing import Final

WAIT_SECONDS: Final = 12.0
"""After its start nobody waits for a fetch any longer: looking up a name knows no time limit."""

_LOOK_SECONDS: Final = 0.01
"""Between two looks of an event loop, which would otherwise need a thread for each that waits."""


class RunningFetch:
    """One fetch, from its start on."""

    def __init__(self) -> None:
        """It starts now."""
        self._until = time.monotonic() + WAIT_SECONDS
        self._ended = threading.Event()

    def end(self) -> None:
        """Let all who wait go on."""
        self._ended.set()

    def wait(self) -> bool:
        """Tell whether it ended in time."""
        return self._ended.wait(max(0.0, self._until - time.monotonic()))

    async def wait_async(self) -> bool:
        """Tell the same, and let the event loop go on meanwhile."""
        while not self._ended.is_set():
            if time.monotonic() >= self._until:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
        return True
