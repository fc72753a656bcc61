"""How long a client tries: growing random pauses, what the broker asks for, and one budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.client.http import Answer, _retry_after
from broker.client.patience import Patience, TryAgain
from tests.client.stand_in import HeldClock, a_token, answering, source_at, trouble


def never(wait: float = 0.0) -> None:
    raise TryAgain("not yet", wait=wait)


def test_pauses_are_drawn_from_all_that_a_growing_bound_allows() -> None:
    clock, bounds = HeldClock(), []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return high

    patience = Patience(60, monotonic=clock, sleep=clock.sleep, uniform=uniform)
    with pytest.raises(TryAgain):
        patience.insist(never)

    assert {low for low, _ in bounds} == {0}
    assert [high for _, high in bounds[:8]] == pytest.approx(
        [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 8.0, 8.0]
    )


@given(budget=st.floats(0, 120), wait=st.floats(0, 30), share=st.floats(0, 1))
def test_the_budget_is_never_overdrawn(budget: float, wait: float, share: float) -> None:
    clock = HeldClock(0.0)
    patience = Patience(
        budget, monotonic=clock, sleep=clock.sleep, uniform=lambda low, high: high * max(share, 0.1)
    )
    with pytest.raises(TryAgain):
        patience.insist(lambda: never(wait))

    assert clock.now <= budget
    assert all(pause >= wait for pause in clock.pauses)


def test_what_succeeds_is_given() -> None:
    assert Patience().insist(lambda: "given") == "given"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_the_broker_says_when_to_come_again(status: int) -> None:
    clock = HeldClock()
    with (
        answering(trouble(status, **{"retry-after": "17"}), a_token()) as server,
        source_at(server.url, clock) as source,
    ):
        assert source.token().access_token == "one"

    (pause,) = clock.pauses
    assert pause == 17


def test_a_date_is_read_by_the_clock_of_who_wrote_it() -> None:
    headers = {
        "retry-after": "Thu, 26 Nov 1998 08:00:21 GMT",
        "date": "Thu, 26 Nov 1998 08:00:00 GMT",
    }

    assert _retry_after(Answer("the broker", 503, headers, b"")) == 21
    assert _retry_after(Answer("the broker", 503, headers | {"date": ""}, b"")) == 0


@pytest.mark.parametrize(
    "text",
    [
        "", "-5", "soon", "1e3", "٣", "Thu, 26 Nov 1998 08:00:00", "Thu, 99 Foo 1998 08:00:00 GMT",
        "Thu, 26 Nov 1998 08:00:00 +99999999999999", "9" * 400,
    ],
)  # fmt: skip
def test_what_is_no_time_to_wait_is_passed_over_or_refused(text: str) -> None:
    answer = Answer("the broker", 503, {"retry-after": text, "date": text}, b"")

    assert _retry_after(answer) in (0.0, 3600.0)


def test_who_is_to_wait_longer_than_the_budget_gives_up_at_once() -> None:
    clock = HeldClock()
    with (
        answering(trouble(429, **{"retry-after": "3600"})) as server,
        source_at(server.url, clock) as source,
    ):
        with pytest.raises(TryAgain):
            source.token()

        assert (len(server.requests), clock.pauses) == (1, [])
