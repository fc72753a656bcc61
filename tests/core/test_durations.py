import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.durations import DurationRefused, duration_text, seconds_of

LONG = 999_999_999


@pytest.mark.parametrize(
    ("text", "seconds"), [("0s", 0), ("90s", 90), ("10m", 600), ("24h", 86_400), ("30d", 2_592_000)]
)
def test_a_duration_is_one_number_and_one_unit(text: str, seconds: int) -> None:
    assert seconds_of(text, minimum=0, maximum=LONG) == seconds


NOT_DURATIONS = [
    "", "10", "m", "10 m", "10M", "1h30m", "-1m", "+1m", "1.5h", "010m", "1w", "1m\n", "\uff11m",
    "1e3s", 10, None,
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_DURATIONS)
def test_anything_else_is_no_duration(text: object) -> None:
    with pytest.raises(DurationRefused, match="one number and one of s m h d"):
        seconds_of(text, minimum=0, maximum=LONG)


def test_the_bounds_of_a_duration_are_inclusive() -> None:
    assert seconds_of("1m", minimum=60, maximum=60) == 60
    with pytest.raises(DurationRefused, match="must be from 1m to 1h"):
        seconds_of("59s", minimum=60, maximum=3600)
    with pytest.raises(DurationRefused, match="must be from 1m to 1h"):
        seconds_of("3601s", minimum=60, maximum=3600)


@given(st.integers(min_value=0, max_value=LONG))
def test_a_duration_reads_as_it_was_written(seconds: int) -> None:
    assert seconds_of(duration_text(seconds), minimum=0, maximum=LONG) == seconds


@given(st.text())
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    with contextlib.suppress(DurationRefused):
        assert seconds_of(text, minimum=0, maximum=LONG) >= 0
