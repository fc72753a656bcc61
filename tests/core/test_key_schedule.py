"""Which keys to make, change and drop: single cases of the schedule (attacks row 127)."""

from dataclasses import replace

import pytest

from broker.core.key_line import RotationRules, ScheduledKey
from broker.core.key_schedule import (
    KeyPlan,
    KeysHeld,
    RetirementRefused,
    retire,
    rotate,
    upkeep,
)
from broker.core.signing_keys import KeyState, SigningSchedule
from tests.core.builders import NOW

DAY = 86_400.0
RULES = RotationRules(("ES256",), rotate_every=30 * DAY, publish_before_use=DAY, leeway=60)


def held(*schedules: SigningSchedule, highest: int | None = None) -> KeysHeld:
    """Keys of ES256 with these schedules, named k1, k2 …"""
    keys = [
        ScheduledKey(f"k{place}", "ES256", place, schedule)
        for place, schedule in enumerate(schedules, start=1)
    ]
    return KeysHeld(keys, {"ES256": highest or len(keys)} if keys else {})


def at(plan: KeyPlan, key_id: str) -> SigningSchedule:
    """Give the schedule that a plan gives a key."""
    return next(key.schedule for _, key in plan.changed if key.key_id == key_id)


STANDBY = SigningSchedule(NOW, NOW + 30 * DAY)
SIGNING = SigningSchedule(NOW, NOW, NOW + 30 * DAY, NOW + 31 * DAY + 60)


def test_a_first_start_makes_two() -> None:
    plan = upkeep(held(), RULES, NOW)

    assert plan.created == (
        ScheduledKey(None, "ES256", 1, SIGNING),
        ScheduledKey(None, "ES256", 2, STANDBY),
    )
    assert not plan.changed
    assert not plan.removed


def test_mostly_there_is_nothing_to_do() -> None:
    assert not upkeep(held(SIGNING, STANDBY), RULES, NOW + 29 * DAY)


def test_a_key_of_an_earlier_version_has_no_end_and_gets_a_successor() -> None:
    plan = upkeep(held(SigningSchedule(NOW, NOW)), RULES, NOW + 100 * DAY)

    [standby] = plan.created
    assert standby.schedule == SigningSchedule(NOW + 100 * DAY, NOW + 101 * DAY)
    assert at(plan, "k1").sign_until == NOW + 101 * DAY


def test_after_three_months_the_standby_of_then_signs_and_another_one_waits() -> None:
    now = NOW + 120 * DAY
    plan = upkeep(held(SIGNING, STANDBY), RULES, now)

    assert [key.key_id for key in plan.removed] == ["k1"]
    assert at(plan, "k2").sign_from == STANDBY.sign_from
    assert at(plan, "k2").sign_until == now + DAY
    assert [key.schedule for key in plan.created] == [SigningSchedule(now, now + DAY)]


def test_a_standby_that_everybody_knows_signs_where_nothing_else_does() -> None:
    plan = upkeep(held(STANDBY), RULES, NOW + DAY)

    assert at(plan, "k1").sign_from == NOW + DAY
    assert len(plan.created) == 1


def test_a_key_that_signed_until_lately_goes_before_a_standby_that_few_know() -> None:
    ended = SigningSchedule(NOW - DAY, NOW - DAY, NOW - 5, NOW + DAY)
    plan = upkeep(held(ended, STANDBY), RULES, NOW + 60)

    assert at(plan, "k1").state(NOW + 60) is KeyState.SIGNING
    assert at(plan, "k1").sign_from == ended.sign_from
    assert not plan.created


def test_a_standby_that_few_know_signs_before_a_new_key_would() -> None:
    plan = upkeep(held(STANDBY), RULES, NOW + 60)

    assert at(plan, "k1").sign_from == NOW + 60
    assert [key.generation for key in plan.created] == [2]


def test_rows_that_cannot_be_read_keep_their_generation() -> None:
    plan = upkeep(KeysHeld([], {"ES256": 7}), RULES, NOW)

    assert [key.generation for key in plan.created] == [8, 9]


def test_a_clock_that_was_put_back_gets_a_key_for_the_time_between() -> None:
    back = NOW - 3600
    plan = upkeep(held(SIGNING, STANDBY), RULES, back)

    [between] = plan.created
    assert between.schedule.signs(back)
    assert between.schedule.sign_until == NOW


def test_of_two_keys_that_sign_the_later_goes_on() -> None:
    first, second = SigningSchedule(NOW, NOW), SigningSchedule(NOW, NOW + 60)
    plan = upkeep(held(first, second), RULES, NOW + 100)

    assert at(plan, "k1").sign_until == NOW + 100
    assert at(plan, "k2").signs(NOW + 100)


def test_keys_sign_for_a_shorter_time_once_the_configuration_says_so() -> None:
    weekly = replace(RULES, rotate_every=7 * DAY)
    plan = upkeep(held(SIGNING, STANDBY), weekly, NOW + 2 * DAY)

    assert at(plan, "k2").sign_from == NOW + 7 * DAY
    assert at(plan, "k1").sign_until == NOW + 7 * DAY


def test_a_longer_time_counts_from_the_next_key_on() -> None:
    yearly = replace(RULES, rotate_every=365 * DAY)

    assert not upkeep(held(SIGNING, STANDBY), yearly, NOW + 2 * DAY)


def test_an_algorithm_that_is_not_listed_runs_out() -> None:
    other = replace(RULES, algorithms=("EdDSA",))
    plan = upkeep(held(SIGNING, STANDBY), other, NOW + DAY)

    assert at(plan, "k1") == SigningSchedule(NOW, NOW, NOW + DAY, NOW + 2 * DAY + 60)
    assert [key.key_id for key in plan.removed] == ["k2"]
    assert {key.algorithm for key in plan.created} == {"EdDSA"}


def test_a_line_that_has_run_out_stays_as_it_is() -> None:
    ended = SigningSchedule(NOW, NOW, NOW + 60, NOW + DAY + 120)
    other = replace(RULES, algorithms=())

    assert not upkeep(held(ended), other, NOW + 120)


def test_an_algorithm_that_is_listed_again_goes_on_with_its_key() -> None:
    ended = SigningSchedule(NOW, NOW, NOW + 60, NOW + DAY + 120)
    plan = upkeep(held(ended), RULES, NOW + 3600)

    assert at(plan, "k1").signs(NOW + 3600)
    assert [key.generation for key in plan.created] == [2]


def test_a_rotation_waits_until_every_verifier_knows_the_standby() -> None:
    plan = rotate(held(SIGNING, STANDBY), RULES, NOW + 3600, at_once=False)

    assert at(plan, "k2").sign_from == at(plan, "k1").sign_until == NOW + DAY
    assert not plan.created


def test_a_rotation_at_once_does_not_wait() -> None:
    plan = rotate(held(SIGNING, STANDBY), RULES, NOW + 3600, at_once=True)

    assert at(plan, "k2").sign_from == at(plan, "k1").sign_until == NOW + 3600
    assert len(plan.created) == 1


def test_what_is_no_key_is_not_retired() -> None:
    with pytest.raises(RetirementRefused, match="no signing key 'k9'"):
        retire(held(SIGNING, STANDBY), RULES, NOW, "k9")


def test_a_key_that_signs_is_retired_in_favour_of_the_standby() -> None:
    plan = retire(held(SIGNING, STANDBY), RULES, NOW + 60, "k1")

    assert [key.key_id for key in plan.removed] == ["k1"]
    assert at(plan, "k2").sign_from == NOW + 60


def test_a_rotation_of_an_algorithm_that_is_not_listed_does_nothing() -> None:
    ended = SigningSchedule(NOW, NOW, NOW + 60, NOW + DAY + 120)

    assert not rotate(held(ended), replace(RULES, algorithms=()), NOW + 120, at_once=True)


def test_the_only_key_that_can_sign_is_not_retired() -> None:
    with pytest.raises(RetirementRefused, match="the only key that can sign ES256"):
        retire(held(SigningSchedule(NOW, NOW)), RULES, NOW + 60, "k1")


def test_a_key_that_has_ended_is_retired_without_a_successor() -> None:
    ended = SigningSchedule(NOW - DAY, NOW - DAY, NOW, NOW + DAY)
    plan = retire(held(ended, SIGNING, STANDBY), RULES, NOW + 60, "k1")

    assert [key.key_id for key in plan.removed] == ["k1"]
    assert not plan.changed
    assert not plan.created


def test_a_key_whose_time_is_over_is_retired_by_its_removal() -> None:
    over = SigningSchedule(NOW - 9 * DAY, NOW - 9 * DAY, NOW - 8 * DAY, NOW - 7 * DAY)
    plan = retire(held(over, SIGNING, STANDBY), RULES, NOW, "k1")

    assert [key.key_id for key in plan.removed] == ["k1"]


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (NOW - 1, KeyState.STANDBY),
        (NOW, KeyState.SIGNING),
        (NOW + 30 * DAY, KeyState.RETIRED),
        (NOW + 31 * DAY + 60, KeyState.REMOVED),
    ],
)
def test_a_key_s_state_follows_from_its_schedule(now: float, state: KeyState) -> None:
    assert SIGNING.state(now) is state
