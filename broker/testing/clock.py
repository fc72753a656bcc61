"""Time for tests: a clock that stands still until it is moved."""

import time
from typing import Protocol


class Clock(Protocol):
    """The time."""

    def now(self) -> float:
        """Give the seconds since the epoch."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Give the seconds since the epoch."""
        return time.time()


class FrozenClock:
    """A clock that shows one instant, seconds since the epoch, until it is advanced."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = float(now)

    def now(self) -> float:
        """Give the seconds since the epoch."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock; negative seconds move it back."""
        self._now += seconds
