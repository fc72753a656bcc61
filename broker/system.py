"""What the machine provides: its clock, and identifiers drawn from its randomness."""

import os
import re
import time
from collections.abc import Callable, Iterator
from itertools import starmap
from typing import Final

_BYTES: Final = 10
_AT_ONCE: Final = 128
# The high bits of the first byte are the version, those of the third one the variant.
_VERSION: Final = bytes(0x70 | byte & 0x0F for byte in range(256))
_VARIANT: Final = bytes(0x80 | byte & 0x3F for byte in range(256))
_GROUPS: Final = re.compile("(.{4})(.{4})(.{12})")


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
        drawn = next(self._drawn, None)
        # What was drawn before a fork is the other process's.
        if drawn is None or self._drawn_by != os.getpid():
            drawn = self._draw_many()
        milliseconds = f"{int(now * 1000):012x}"
        return f"{milliseconds[:8]}-{milliseconds[8:]}-{drawn}"

    def _draw_many(self) -> str:
        """Draw the random part of many at once, a call to the system being a tenth of the cost."""
        octets = bytearray(self._random_bytes(_BYTES * _AT_ONCE))
        octets[0::_BYTES] = octets[0::_BYTES].translate(_VERSION)
        octets[2::_BYTES] = octets[2::_BYTES].translate(_VARIANT)
        # Whoever takes one takes it alone, in whatever thread.
        self._drawn = starmap("{}-{}-{}".format, _GROUPS.findall(octets.hex()))
        self._drawn_by = os.getpid()
        return next(self._drawn)
