"""What the machine provides: its clock, and identifiers drawn from its randomness."""

import os
import time
from collections.abc import Callable
from typing import Final

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

    def new(self, now: float) -> str:
        """Draw one; `now` is in seconds since the epoch."""
        # Nothing random is kept for later: a buffer would be shared by forked processes.
        text = self._random_bytes(10).hex()
        milliseconds = f"{int(now * 1000):012x}"
        variant = _VARIANTS[text[19]]
        return (
            f"{milliseconds[:8]}-{milliseconds[8:]}-7{text[:3]}-{variant}{text[3:6]}-{text[6:18]}"
        )
