"""A fetch of keys that is under way, and waiting for it: in a thread or in an event loop."""

import asyncio
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_SECONDS: Final = 12.0
"""After its start nobody waits for a fetch any longer: looking up a name knows no time limit."""


class RunningFetch:
    """One fetch, from its start on."""

    def __init__(self) -> None:
        """It starts now."""
        self._until = time.monotonic() + WAIT_SECONDS
        self._ended = threading.Event()
        self._wakes: set[Callable[[], None]] = set()
        self._lock = threading.Lock()

    def end(self) -> None:
        """Let all who wait go on."""
        with self._lock:
            self._ended.set()
            wakes = list(self._wakes)
        for wake in wakes:
            wake()

    def wait(self) -> bool:
        """Tell whether it ended in time."""
        return self._ended.wait(self._left())

    async def wait_async(self) -> bool:
        """Tell the same; the event loop goes on meanwhile, and no thread waits in its stead."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def wake() -> None:
            # The loop may be closed by now.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(ended.set)

        with self._lock:
            if self._ended.is_set():
                return True
            self._wakes.add(wake)
        try:
            async with asyncio.timeout(self._left()):
                await ended.wait()
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._wakes.discard(wake)
        return True

    def _left(self) -> float:
        return max(0.0, self._until - time.monotonic())
