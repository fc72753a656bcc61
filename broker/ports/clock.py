"""The time, and fresh identifiers."""

from typing import Protocol


class Clock(Protocol):
    """The time."""

    def now(self) -> float:
        """Give the seconds since the epoch."""
        ...


class Identifiers(Protocol):
    """Fresh random identifiers: decisions and tokens, at least 128 bits, sortable by time."""

    def new(self, now: float) -> str:
        """Draw one."""
        ...
