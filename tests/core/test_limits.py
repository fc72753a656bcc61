"""Windows as values: never more than the rate says, alone; within 5 %, together."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.limits import (
    MAX_REQUESTS,
    Rate,
    RateRefused,
    Total,
    Verdict,
    Window,
    added,
    allowance,
    count,
    read_rate,
    retry_after,
    shared,
    within,
)

RATES = st.builds(Rate, st.integers(1, 60), st.sampled_from([1, 60, 3600]))
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "rate"),
    [("600/m", Rate(600, 60)), ("1/s", Rate(1, 1)), ("7/h", Rate(7, 3600)),
     ("1000000000/d", Rate(MAX_REQUESTS, 86_400))],
)  # fmt: skip
def test_a_rate_is_a_number_and_a_unit(text: str, rate: Rate) -> None:
    assert read_rate(text) == rate


@given(st.text())
def test_any_other_text_is_refused_by_its_own_error(text: str) -> None:
    with suppress(RateRefused):
        assert f"{read_rate(text).requests}/" == text[:-1]


@pytest.mark.parametrize("text", ["0/m", "01/m", "1/w", "1/", "/m", "1/m ", "1000000001/m", "٣/m"])
def test_what_looks_like_a_rate_is_none(text: str) -> None:
    with pytest.raises(RateRefused):
        read_rate(text)


@given(RATES, st.lists(st.floats(0, 30), max_size=300))
def test_no_window_admits_more_than_its_rate(rate: Rate, pauses: list[float]) -> None:
    window, now = None, NOW
    admitted: dict[float, int] = {}
    for pause in pauses:
        now += pause
        verdict, window = count(window, rate, now, rate.requests)
        assert verdict is not Verdict.UNSHARED
        admitted[window.started] = admitted.get(window.started, 0) + (verdict is Verdict.ADMITTED)
        assert now - window.started < rate.seconds

    assert all(count <= rate.requests for count in admitted.values())
    beginnings = sorted(admitted)
    assert all(later - earlier >= rate.seconds for earlier, later in pairwise(beginnings))


@given(RATES, st.floats(0, 10_000))
def test_who_waits_as_long_as_it_was_told_is_admitted(rate: Rate, since: float) -> None:
    window = Window(NOW, rate.requests, 0)
    verdict, after = count(window, rate, NOW + since, 0)

    if verdict is Verdict.REFUSED:
        seconds = retry_after(window.started, rate, NOW + since)
        assert after == window
        assert 1 <= seconds <= rate.seconds
        again, _ = count(window, rate, NOW + since + seconds, rate.requests)
        assert again is Verdict.ADMITTED
    else:
        assert since >= rate.seconds


@given(RATES, st.floats(-100_000, 100_000))
def test_a_clock_that_was_set_never_locks_anybody_out_for_long(rate: Rate, step: float) -> None:
    window = Window(NOW, rate.requests, 0)
    verdict, _ = count(window, rate, NOW + step, rate.requests)

    assert verdict is (Verdict.REFUSED if abs(step) < rate.seconds else Verdict.ADMITTED)
    assert retry_after(NOW, rate, max(NOW + step, NOW - rate.seconds)) <= 2 * rate.seconds


@given(
    rate=st.builds(Rate, st.integers(1, 400), st.just(60)),
    processes=st.integers(1, 5),
    data=st.data(),
)
def test_several_processes_admit_what_one_would_within_five_percent(
    rate: Rate, processes: int, data: st.DataObject
) -> None:
    windows: list[Window | None] = [None] * processes
    total: Total | None = None
    admitted = refused = 0
    unshared = allowance(rate, max(processes - 1, 1))  # one has just begun
    ran = data.draw(st.lists(st.integers(0, processes - 1), min_size=1, max_size=900))
    for number in ran:
        verdict, window = count(windows[number], rate, NOW, unshared)
        if verdict is Verdict.UNSHARED:
            own = window.own
            total = added(total, own, rate, NOW)
            verdict = Verdict.ADMITTED if within(total, own, own, rate) else Verdict.REFUSED
            window = shared(window, own, total)
        windows[number] = window
        admitted += verdict is Verdict.ADMITTED
        refused += verdict is Verdict.REFUSED

    assert admitted <= rate.requests * 1.05
    if refused:
        # Nobody is refused while there is room: at most what the allowances hold back is missing.
        assert admitted >= rate.requests * 0.95 - 1


@given(RATES, st.lists(st.tuples(st.integers(1, 10), st.floats(0, 50)), max_size=50))
def test_a_total_is_the_sum_of_what_came_within_its_window(
    rate: Rate, shares: list[tuple[int, float]]
) -> None:
    total = Total(NOW, 0)
    now, expected = NOW, 0
    for own, pause in shares:
        now += pause
        began, total = total.started, added(total, own, rate, now)
        expected = expected + own if total.started == began else own
        assert total.requests == expected


def test_what_was_counted_while_the_rest_was_shared_is_still_to_share() -> None:
    assert shared(Window(NOW, 4, 9), 7, Total(NOW - 1, 30)) == Window(NOW - 1, 30, 2)
    assert shared(Window(NOW, 0, 1), 7, Total(NOW, 7)) == Window(NOW, 7, 0)


def test_of_those_that_are_shared_together_the_first_ones_are_admitted() -> None:
    rate = Rate(10, 60)

    assert [within(Total(NOW, 12), 4, place, rate) for place in range(1, 5)] == [
        True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "processes", "allowed"),
    [(Rate(600, 60), 1, 15), (Rate(600, 60), 2, 10), (Rate(39, 60), 1, 0), (Rate(600, 60), 64, 0)],
)
def test_each_process_may_be_ahead_by_its_part_of_five_percent_even_when_one_has_just_begun(
    rate: Rate, processes: int, allowed: int
) -> None:
    assert allowance(rate, processes) == allowed
