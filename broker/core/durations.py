"""Durations as people write them: one number and one of `s m h d` (contract §3)."""

import re
from typing import Final

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile(r"(0|[1-9][0-9]{0,9})([smhd])")


class DurationRefused(ValueError):
    """A text that is no duration; the message says how to write one."""


def seconds_of(text: object, *, minimum: int, maximum: int) -> int:
    """Read a duration such as `10m`, within bounds in seconds, both inclusive.

    Raises `DurationRefused`.
    """
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise DurationRefused("must be one number and one of s m h d, as in `10m`")
    seconds = int(found[1]) * _SECONDS[found[2]]
    if not minimum <= seconds <= maximum:
        raise DurationRefused(f"must be from {duration_text(minimum)} to {duration_text(maximum)}")
    return seconds


def duration_text(seconds: int) -> str:
    """Write a number of seconds in the largest unit that divides it."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"
