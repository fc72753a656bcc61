"""Rate limits: how many requests a window of time takes, and what remains of one (contract §5).

A window begins with the first request that it counts, and lasts as long as the rate says. Several
processes share a window: each may count a few requests by itself, and shares its count before it
counts more, so that all of them together stay within 5 % of what one would do.
"""

import math
import re
from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

TOLERANCE: Final = 20
"""All processes together may be ahead by one in so many: 5 % (contract §7)."""

MAX_REQUESTS: Final = 1_000_000_000

_SECONDS: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_RATE: Final = re.compile(r"([1-9][0-9]{0,9})/([smhd])")


class RateRefused(ValueError):
    """A text that is no rate; the message says how to write one."""


class Rate(NamedTuple):
    """So many requests in so many seconds."""

    requests: int
    seconds: int


class Total(NamedTuple):
    """What all processes have shared of one window; `started` in seconds since the epoch."""

    started: float
    requests: int


class Window(NamedTuple):
    """What one process knows of a window; `started` in seconds since the epoch."""

    started: float
    known: int
    """How much all processes had shared when this one shared last, its own part included."""

    own: int
    """What this process has counted since."""


class Verdict(Enum):
    """What becomes of one more request."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    UNSHARED = "unshared"
    """It is counted, and has to be shared before it is known whether it is admitted."""


def read_rate(text: str) -> Rate:
    """Read a rate such as `600/m`. Raises `RateRefused`."""
    found = _RATE.fullmatch(text)
    if found is None or int(found[1]) > MAX_REQUESTS:
        raise RateRefused(
            f"must be a number from 1 to {MAX_REQUESTS}, a slash and one of s m h d, as in `600/m`"
        )
    return Rate(int(found[1]), _SECONDS[found[2]])


def allowance(rate: Rate, processes: int) -> int:
    """Tell how many requests each of several processes may count before it shares.

    There is one more than is known, as one may have started just now.
    """
    return rate.requests // TOLERANCE // (processes + 1)


def count(window: Window | None, rate: Rate, now: float, unshared: int) -> tuple[Verdict, Window]:
    """Count one more request, unless there is no room for it; `unshared` is the allowance."""
    requests, seconds = rate
    # As `in_force`, without the call: this is asked on the way of every exchange.
    if window is None or not -seconds < now - window[0] < seconds:
        window = Window(now, 0, 0)
    started, known, own = window
    if known + own >= requests:
        return Verdict.REFUSED, window
    verdict = Verdict.ADMITTED if own < unshared else Verdict.UNSHARED
    return verdict, Window(started, known, own + 1)


def in_force(started: float, rate: Rate, now: float) -> bool:
    """Tell whether a window still counts.

    Other processes, and a clock that was set back a little, may have begun it later than `now`.
    """
    return -rate.seconds < now - started < rate.seconds


def added(total: Total | None, own: int, rate: Rate, now: float) -> Total:
    """Share what one process has counted: add it to the total of all, or begin a new window."""
    if total is None or not in_force(total.started, rate, now):
        return Total(now, own)
    return Total(total.started, total.requests + own)


def shared(window: Window, own: int, total: Total) -> Window:
    """Take in the total, in which `own` requests of this window are counted now."""
    return Window(total.started, total.requests, max(window.own - own, 0))


def within(total: Total, own: int, place: int, rate: Rate) -> bool:
    """Tell whether the request is admitted that was the `place`th of `own` added to the total."""
    return total.requests - own + place <= rate.requests


def retry_after(started: float, rate: Rate, now: float) -> int:
    """Give the whole seconds until a window ends, at least one."""
    return max(math.ceil(started + rate.seconds - now), 1)
