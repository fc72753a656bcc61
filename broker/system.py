"""What the machine provides: its clock, and identifiers drawn from its randomness."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Final

_BYTES: Final = 10
_AT_ONCE: Final = 128
# The two highest bits of the digit are 10; the others are those of the digit that was drawn.
_VARIANTS: Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Give the seconds since the epoch."""
        return time.time()


class UuidV7Identifiers:
    """Identifiers as UUIDv7 text (RFC 9562 §5.7): milliseconds, then 74 random bits.

    They sort by the millisecond they were drawn in; within one, in no order.
    """

    def __init__(self, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        """`random_bytes` gives as many random bytes as it is asked for."""
        self._random_bytes = random_bytes
        self._drawn_by = 0
        self._drawn: Iterator[str] = iter(())

    def new(self, now: float) -> str:
        """Draw one; `now` is in seconds since the epoch."""
        text = next(self._drawn, None)
        # What was drawn before a fork is the other process's.
        if text is None or self._drawn_by != os.getpid():
            text = self._draw_many()
        milliseconds = f"{int(now * 1000):012x}"
        variant = _VARIANTS[text[19]]
        return (
            f"{milliseconds[:8]}-{milliseconds[8:]}-7{text[:3]}-{variant}{text[3:6]}-{text[6:18]}"
        )

    def _draw_many(self) -> str:
        """Draw the random part of many at once, a call to the system being a tenth of the cost."""
        text = self._random_bytes(_BYTES * _AT_ONCE).hex()
        digits = 2 * _BYTES
        # Whoever takes one takes it alone, in whatever thread.
        self._drawn = iter([text[at : at + digits] for at in range(0, len(text), digits)])
        self._drawn_by = os.getpid()
        return next(self._drawn)
