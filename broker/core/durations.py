"""Durations as people write them: one number and one of `s m h d` (contract §3)."""

import re
from typing import Final

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile(r"(0|[1-9][0-9]{0,8})([smhd])")


def parse_duration(text: str) -> int:
    """Give the seconds that a text such as `10m` names. Raises `ValueError`, without the text."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("no duration; write one number and one of s, m, h, d, such as 10m")
    return int(found[1]) * _SECONDS[found[2]]


def format_duration(seconds: int) -> str:
    """Write seconds in the largest unit that holds them whole."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"
