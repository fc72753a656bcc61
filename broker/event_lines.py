"""Printing events: one line each, by a thread of its own, so that no reader can hold up a commit.

A pipe whose reader is stuck would otherwise stop every exchange, and the stop of the broker too.
"""

import logging
import os
import select
import threading
from contextlib import suppress
from queue import Full, Queue
from types import TracebackType
from typing import Final, Protocol, Self

MAX_WAITING: Final = 2000
STOP_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


class Printed(Protocol):
    """An event, or a head of the chain."""

    @property
    def sequence(self) -> int:
        """Its place in the chain."""
        ...

    def line(self) -> str:
        """Give it as one line of JSON."""
        ...


class EventLines:
    """Writes each event that it is called with as a line of JSON.

    It writes to the descriptor itself: a buffer of Python's would be flushed once more at the end,
    and wait for the reader there.
    """

    def __init__(self, descriptor: int, *, stop_seconds: float = STOP_SECONDS) -> None:
        """`descriptor` is copied; what waits at the stop is given `stop_seconds` to be written."""
        self._descriptor = os.dup(descriptor)
        self._stop_seconds = stop_seconds
        self._waiting: Queue[Printed | None] = Queue(MAX_WAITING)
        self._given_up = False
        self._thread = threading.Thread(target=self._run, name="event-lines", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Write what waits, unless nobody reads it."""
        try:
            self._waiting.put(None, timeout=self._stop_seconds)
        except Full:
            pass
        else:
            self._thread.join(self._stop_seconds)
        if self._thread.is_alive():
            self._given_up = True
            logger.error("nobody reads the events on stdout: the last ones were not printed")

    def __call__(self, event: Printed) -> None:
        """Print an event soon. Raises `OSError` when too many wait to be read."""
        try:
            self._waiting.put_nowait(event)
        except Full:
            raise BlockingIOError("nobody reads the events printed before") from None

    def _run(self) -> None:
        while (event := self._waiting.get()) is not None and not self._given_up:
            try:
                self._write(event.line().encode("ascii") + b"\n")
            except OSError:
                logger.exception("event %d is stored, but was not printed", event.sequence)
        os.close(self._descriptor)

    def _write(self, line: bytes) -> None:
        # Who started the broker may have set the descriptor so that writing does not wait.
        writable = select.poll()
        writable.register(self._descriptor, select.POLLOUT)
        while line:
            writable.poll()
            with suppress(BlockingIOError):
                line = line[os.write(self._descriptor, line) :]
