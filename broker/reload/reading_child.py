"""The process that reads policy files, from the side of the broker: its start, its answer, its end.

It is started by `subprocess` and not by the event loop, which would copy the broker's whole memory
map: some 10 ms in which nothing else runs, beside half a millisecond.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from typing import Final

# The modules come from where this process has them, and from nowhere that the environment says.
_PROGRAM: Final = (
    "import sys; sys.path[:] = sys.argv[1:]; from broker.reload.reading_process import main; main()"
)


class ReadingChild:
    """A process that waits for one request, answers it, and ends.

    `told` are the digests of the texts whose outlines it was given before.
    """

    def __init__(self) -> None:
        """Start it. Raises `OSError`."""
        self.told: frozenset[str] = frozenset()
        self._sending: asyncio.Task[None] | None = None
        # No secret of the broker's goes along. A session of its own keeps the signals away that are
        # meant for the broker and reach all of its terminal.
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("BROKER_")
        }
        # Pydantic would look for plugins in everything that is installed, and load them.
        environment["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
        self.process = subprocess.Popen(  # noqa: S603 - our own Python, with our own program
            [sys.executable, "-P", "-c", _PROGRAM, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # What is written is gone: nothing is left to be written when the process has ended.
            bufsize=0,
            # A traceback could quote what the files hold.
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )

    def ended(self) -> bool:
        """Tell whether it has ended by itself."""
        return self.process.poll() is not None

    def rehearse(self, request: bytes, told: Iterable[str]) -> None:
        """Have it do beforehand what it can."""
        self.told = frozenset(told)
        self._sending = asyncio.create_task(asyncio.to_thread(self._send, request))

    async def ask(self, request: bytes, seconds: float) -> bytes:
        """Give its answer; it has ended then. Raises `TimeoutError`."""
        asking = asyncio.create_task(self._communicate(request))
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(asking)
        finally:
            self.process.kill()
            await asyncio.wait([asking])

    async def end(self) -> None:
        """End it without an answer."""
        self.process.kill()
        await self._communicate()

    async def _communicate(self, request: bytes = b"") -> bytes:
        if self._sending is not None:
            await self._sending
        answer, _ = await asyncio.to_thread(self.process.communicate, request)
        return answer

    def _send(self, request: bytes) -> None:
        left = memoryview(request)
        # A process that has ended is found out when it is asked.
        with contextlib.suppress(BrokenPipeError):
            while left and self.process.stdin is not None:
                left = left[self.process.stdin.write(left) :]

    def ending(self) -> str:
        """Say in words how it ended."""
        status = self.process.returncode
        if status is not None and status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"ended with status {status}; `broker policies check` may tell more"
