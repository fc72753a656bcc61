"""Row 51: an audience that only looks like the broker's."""

import pytest

from tests.attacks.hand_made_tokens import with_raw_claim
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker


@pytest.mark.parametrize(
    "audience",
    [
        "https://broker.example/",
        "https://broker.example.evil.tld",
        "https://broker.example@evil.tld",
        "https://broker.example#x",
        "https://broker.example?x",
        "https://broker.example:443",
        "https://broker.exampl",
        "https://BROKER.example",
        "HTTPS://broker.example",
        "http://broker.example",
        "broker.example",
        " https://broker.example",
        "https://broker.example ",
        "https://broker.example\n",
        "https://broker.example\u0000",
        "https://br\u043eker.example",
        "https://broker.example https://vault.example",
        "https://broker.example,https://vault.example",
    ],
    ids=repr,
)
def test_an_audience_is_compared_byte_for_byte(live_broker: RunningBroker, audience: str) -> None:
    answer = live_broker.exchange(with_raw_claim(live_broker, "aud", audience))

    assert_refused(live_broker, answer, "audience_mismatch")
