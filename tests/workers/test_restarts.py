"""Who dies by chance is started at once; who dies again and again is not."""

from hypothesis import given
from hypothesis import strategies as st

from broker.workers.restarts import EARLY_SECONDS, MAX_EARLY_DEATHS, Restarts


def test_the_pauses_grow_until_it_is_given_up() -> None:
    restarts = Restarts()

    pauses = [restarts.pause_after(1) for _ in range(MAX_EARLY_DEATHS)]
    assert pauses == [0, 0.5, 1, 2, None]


def test_a_long_life_makes_up_for_the_deaths_before() -> None:
    restarts = Restarts()
    for _ in range(MAX_EARLY_DEATHS - 1):
        restarts.pause_after(1)

    assert restarts.pause_after(EARLY_SECONDS) == 0
    assert restarts.pause_after(1) == 0


@given(st.lists(st.floats(0, 200)))
def test_it_is_given_up_after_the_fifth_early_death_in_a_row_and_no_sooner(
    lives: list[float],
) -> None:
    restarts, in_a_row = Restarts(), 0
    for life in lives:
        pause = restarts.pause_after(life)
        in_a_row = in_a_row + 1 if life < EARLY_SECONDS else 0
        assert (pause is None) == (in_a_row >= MAX_EARLY_DEATHS)
