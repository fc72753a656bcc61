"""Points in time as people write them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.audit import rfc3339
from broker.core.instants import InstantRefused, parse_instant, parse_time

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


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-21T10:30:00Z", "2026-11-21T10:30:00.000Z"),
        ("2026-11-21t10:30:00z", "2026-11-21T10:30:00.000Z"),
        ("2026-11-21T10:30:00.25-02:30", "2026-11-21T13:00:00.250Z"),
        ("2026-11-21T10:30:00.123456789Z", "2026-11-21T10:30:00.123Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"),
    ],
)
def test_a_time_of_rfc_3339_is_read(text: str, meant: str) -> None:
    assert rfc3339(parse_time(text)) == meant


@pytest.mark.parametrize(
    "text",
    [
        "2026-W47-6T10:30:00Z",  # ISO 8601 alone
        "20261121T103000Z",
        "2026-11-21T10:30Z",
        "2026-11-21T10:30:00,5Z",
        "2026-11-21T10:30:00+00:00:30",
        "2026-11-21T10:30:00+0100",
        "2026-11-21 10:30:00Z",
        "2026-11-21T10:30:00",  # somewhere
        "2026-11-21",
        "24h",
        "2026-11-21T10:30:00Z\n",
        "\uff12026-11-21T10:30:00Z",
        "2026-02-29T10:30:00Z",
        "2026-11-21T10:30:00+24:00",
        "2026-12-31T23:59:60Z",
        "9999-12-31T23:59:59-23:59",  # in the year 10000
        "0001-01-01T00:00:00+00:01",  # in the year 0
    ],
)
def test_no_other_time_is_one_of_rfc_3339(text: str) -> None:
    with pytest.raises(InstantRefused, match="must be a time of RFC 3339"):
        parse_time(text)


@given(st.text(max_size=30) | st.datetimes().map(lambda each: f"{each.isoformat()}Z"))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with suppress(InstantRefused):
        rfc3339(parse_time(text))
