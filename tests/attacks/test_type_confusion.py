"""Row 53: a claim of another JSON type than the policy's, to be compared by accident."""

from typing import Any

import pytest

from tests.attacks.hand_made_tokens import with_raw_claim
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified


@pytest.mark.parametrize("value", ["456789", 456_789, ["456789"], [1, 456_789]], ids=repr)
def test_numbers_compare_as_their_decimal_text(live_broker: RunningBroker, value: Any) -> None:
    verified(live_broker, live_broker.exchange(with_raw_claim(live_broker, "repository_id", value)))


@pytest.mark.parametrize(
    "value",
    [
        456_789.0,
        456_789.5,
        45_678,
        4_567_890,
        -456_789,
        "0456789",
        "+456789",
        "456789.0",
        "456789 ",
        "456_789",
        "0x6f855",
        "['456789']",
        True,
        None,
        "",
        [],
        [456_789.0],
        ["45", "6789"],
        [["456789"]],
        [{"id": "456789"}],
        {"456789": "456789"},
        {"$in": ["456789"]},
    ],
    ids=repr,
)
def test_nothing_else_is_taken_for_it(live_broker: RunningBroker, value: Any) -> None:
    answer = live_broker.exchange(with_raw_claim(live_broker, "repository_id", value))

    assert_refused(live_broker, answer, "no_policy_matched")


@pytest.mark.parametrize("value", ["true", True], ids=repr)
def test_a_boolean_compares_as_its_text(live_broker: RunningBroker, value: Any) -> None:
    verified(live_broker, live_broker.exchange(live_broker.gitlab_token(ref_protected=value)))


@pytest.mark.parametrize(
    "value", ["True", "TRUE", "1", "yes", "on", 1, 1.0, False, "false", {"true": True}], ids=repr
)
def test_nothing_else_is_true(live_broker: RunningBroker, value: Any) -> None:
    answer = live_broker.exchange(live_broker.gitlab_token(ref_protected=value))

    assert_refused(live_broker, answer, "no_policy_matched")
