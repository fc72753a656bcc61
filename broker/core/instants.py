"""Points in time as people write them: a date, RFC 3339, or how long ago."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from broker.core.durations import DurationRefused, seconds_of

FORMS: Final = "2026-11-25, 2026-11-25T21:30:00Z or, for so long ago, 24h"

_LONGEST: Final = 36_500 * 86_400


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
        moment = datetime.fromisoformat(text)
        instant = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        # Far from UTC, the first and the last moments of the calendar are outside it.
        datetime.fromtimestamp(instant, UTC)
        return instant
    except (ValueError, OverflowError):
        raise InstantRefused(f"'{text}' is no point in time; write {FORMS}") from None
