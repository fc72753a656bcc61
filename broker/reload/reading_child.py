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

from broker.workers.frames import SIZE

# The modules come from where this process has them, and from nowhere that the environment says.
_PROGRAM: Final = (
    "import sys; sys.path[:] = sys.argv[1:]; from broker.reload.reading_process import main; main()"
)

_PIPE: Final = 1 << 20
"""Bytes that may be under way: a large set comes in a few pieces."""

_ENDS_WITHIN: Final = 1.0


class ReadingChild:
    """A process that answers one request after the other.

    `told` are the digests of the texts whose outlines it was given before, `answers` how many it
    has given.
    """

    def __init__(self) -> None:
        """Start it. Raises `OSError`."""
        self.told: frozenset[str] = frozenset()
        self.answers = 0
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
            pipesize=_PIPE,
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
        """Give its answer; nothing if it has ended instead. Raises `TimeoutError`."""
        asking = asyncio.create_task(self._exchange(request))
        try:
            async with asyncio.timeout(seconds):
                answer = await asyncio.shield(asking)
        except BaseException:
            # What it may still say is the answer to nothing.
            self.process.kill()
            await asyncio.wait([asking])
            await self.end()
            raise
        self.answers += 1
        return answer

    async def end(self) -> None:
        """End it, whatever it does, and also when nobody waits for that any more."""
        self.process.kill()
        ending = asyncio.create_task(self._let_go())
        try:
            await asyncio.shield(ending)
        finally:
            # Else its pipes would stay open.
            await asyncio.wait([ending])

    async def _let_go(self) -> None:
        if self._sending is not None:
            await self._sending
        await asyncio.to_thread(self.process.wait)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    async def _exchange(self, request: bytes) -> bytes:
        if self._sending is not None:
            await self._sending
        return await asyncio.to_thread(self._send_and_receive, request)

    def _send_and_receive(self, request: bytes) -> bytes:
        self._send(request)
        size = self._received(SIZE)
        answer = self._received(int.from_bytes(size))
        if not answer:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_ENDS_WITHIN)
        return answer

    def _send(self, request: bytes) -> None:
        left = memoryview(request)
        # A process that has ended is found out when its answer is read.
        with contextlib.suppress(BrokenPipeError):
            while left and self.process.stdin is not None:
                left = left[self.process.stdin.write(left) :]

    def _received(self, size: int) -> bytes:
        """Receive so many bytes; less when it ends before."""
        chunks = []
        while size and self.process.stdout is not None:
            chunk = self.process.stdout.read(min(size, _PIPE))
            if not chunk:
                break
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)

    def ending(self) -> str:
        """Say in words how it ended."""
        status = self.process.returncode
        if status is not None and status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"ended with status {status}; `broker policies check` may tell more"
