"""Row 50: a token that is also good elsewhere, where it may leak from."""

import pytest

from tests.attacks.hand_made_tokens import with_raw_claim
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker
from tests.service_tokens import verified


@pytest.mark.parametrize(
    "audiences",
    [
        [AUDIENCE, "https://vault.example"],
        ["https://vault.example", AUDIENCE],
        [AUDIENCE, AUDIENCE],
        [AUDIENCE, ""],
        [AUDIENCE, None],
        [AUDIENCE, ["https://vault.example"]],
    ],
    ids=repr,
)
def test_the_broker_is_the_only_audience(live_broker: RunningBroker, audiences: list[str]) -> None:
    answer = live_broker.exchange(with_raw_claim(live_broker, "aud", audiences))

    assert_refused(live_broker, answer, "audience_mismatch")


def test_a_list_of_one_is_fine(live_broker: RunningBroker) -> None:
    verified(live_broker, live_broker.exchange(with_raw_claim(live_broker, "aud", [AUDIENCE])))
