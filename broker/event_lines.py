"""Printing events: one line each, by a thread of its own, so that no reader can hold up a commit.

A pipe whose reader is stuck would otherwise stop every exchange, and the stop of the broker too.
"""

import logging
from types import TracebackType
from typing import Protocol, Self

from broker.shared_output import STOP_SECONDS, LineWriter, OutputLock

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
    """Writes each event that it is called with as a line of JSON."""

    def __init__(
        self,
        descriptor: int,
        *,
        lock: OutputLock | None = None,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        """`descriptor` is copied; what waits at the stop is given `stop_seconds` to be written.

        `lock` is for the case that other processes print their events there, too.
        """
        self._writer: LineWriter[Printed] = LineWriter(
            descriptor, _line, _failed, name="event-lines", lock=lock, stop_seconds=stop_seconds
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Write what waits, unless nobody reads it."""
        if not self._writer.close():
            logger.error("nobody reads the events on stdout: the last ones were not printed")

    def __call__(self, event: Printed) -> None:
        """Print an event soon. Raises `OSError` when too many wait to be read."""
        self._writer.put(event)


def _line(event: Printed) -> bytes:
    return event.line().encode("ascii") + b"\n"


def _failed(event: Printed) -> None:
    logger.exception(  # noqa: LOG004 - called while the error is handled
        "event %d is stored, but was not printed", event.sequence
    )
