"""Points in time as people write them: a date, RFC 3339, or how long ago."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from broker.core.durations import DurationRefused, seconds_of

FORMS: Final = "2026-11-25, 2026-11-25T21:30:00Z or, for so long ago, 24h"

TIME_FORM: Final = "must be a time of RFC 3339 with its offset, as in 2027-06-30T12:00:00Z"

_LONGEST: Final = 36_500 * 86_400
# ISO 8601 knows more: weeks, and times without separators or seconds (RFC 3339 §5.6).
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


class InstantRefused(ValueError):
    """The text is no point in time; the message names the forms."""


def parse_instant(text: str, now: float) -> float:
    """Read a date (its first moment), a time of RFC 3339, or a duration that has passed since.

    UTC unless the text says otherwise; in seconds since the epoch, as `now`. Raises
    `InstantRefused`.
    """
    with suppress(DurationRefused):
        return now - seconds_of(text, minimum=0, maximum=_LONGEST)
    try:
        return _seconds(text)
    except (ValueError, OverflowError):
        raise InstantRefused(f"'{text}' is no point in time; write {FORMS}") from None


def parse_time(text: str) -> float:
    """Read a time of RFC 3339 with its offset, and nothing else; in seconds since the epoch.

    Raises `InstantRefused`.
    """
    if not _TIME.fullmatch(text):
        raise InstantRefused(TIME_FORM)
    try:
        return _seconds(text.upper())
    except (ValueError, OverflowError):
        raise InstantRefused(TIME_FORM) from None


def _seconds(text: str) -> float:
    """Read a time of ISO 8601. Raises `ValueError` and `OverflowError`."""
    moment = datetime.fromisoformat(text)
    instant = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    # Far from UTC, the first and the last moments of the calendar are outside it.
    datetime.fromtimestamp(instant, UTC)
    return instant
