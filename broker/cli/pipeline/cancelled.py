"""The end of a command whose job is cancelled: what it was about to leave behind goes with it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
"""The signals that end a command."""

BY_SIGNAL: Final = 128
"""A command that a signal ended has this and its number as exit code, as shells have it."""


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let signals leave the block as an exception would, so that it cleans up behind itself."""
    before = {number: signal.signal(number, _end) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(BY_SIGNAL + number)
