"""Points in time as people write them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.audit import rfc3339
from broker.core.instants import InstantRefused, parse_instant

NOW = 1_795_300_000.0


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-21", "2026-11-21T00:00:00.000Z"),
        ("2026-11-21T10:30:00Z", "2026-11-21T10:30:00.000Z"),
        ("2026-11-21 10:30", "2026-11-21T10:30:00.000Z"),
        ("2026-11-21T10:30:00+02:00", "2026-11-21T08:30:00.000Z"),
        ("90m", "2026-11-21T20:56:40.000Z"),
        ("0s", "2026-11-21T22:26:40.000Z"),
        ("36500d", "1926-12-16T22:26:40.000Z"),
    ],
)
def test_a_date_a_time_and_a_duration_are_read(text: str, meant: str) -> None:
    assert rfc3339(parse_instant(text, NOW)) == meant


@pytest.mark.parametrize("text", ["", "tuesday", "2026-13-01", "7", "-1h", "36501d", "2026-11-31"])
def test_anything_else_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(InstantRefused, match="write 2026-11-25, "):
        parse_instant(text, NOW)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InstantRefused):
        rfc3339(parse_instant(text, NOW))
