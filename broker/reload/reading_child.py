"""The process that reads policy files, from the side of the broker: its start, its answer, its end.

It is started by `subprocess` and not by the event loop, which would copy the broker's whole memory
map: some 10 ms in which nothing else runs, beside half a millisecond.
"""

import asyncio
import os
import signal
import subprocess
import sys
from typing import Final

# The modules come from where this process has them, and from nowhere that the environment says.
_PROGRAM: Final = (
    "import sys; sys.path[:] = sys.argv[1:]; from broker.reload.reading_process import main; main()"
)


class ReadingChild:
    """A process that waits for one request, answers it, and ends."""

    def __init__(self) -> None:
        """Start it. Raises `OSError`."""
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
            # A traceback could quote what the files hold.
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )

    def ended(self) -> bool:
        """Tell whether it has ended by itself."""
        return self.process.poll() is not None

    async def ask(self, request: bytes, seconds: float) -> bytes:
        """Give its answer; it has ended then. Raises `TimeoutError`."""
        asking = asyncio.create_task(asyncio.to_thread(self.process.communicate, request))
        try:
            async with asyncio.timeout(seconds):
                answer, _ = await asyncio.shield(asking)
        finally:
            self.process.kill()
            await asyncio.wait([asking])
        return answer

    async def end(self) -> None:
        """End it without an answer."""
        self.process.kill()
        await asyncio.to_thread(self.process.communicate)

    def ending(self) -> str:
        """Say in words how it ended."""
        status = self.process.returncode
        if status is not None and status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"ended with status {status}; `broker policies check` may tell more"
