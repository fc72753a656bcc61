"""Row 38: NaN, Infinity and numbers that overflow whatever counts with them."""

import pytest

from tests.attacks.hand_made_tokens import with_literal
from tests.attacks.refusals import assert_refused
from tests.running_broker import NOW, RunningBroker

IMPOSSIBLE = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "1e15",
    "1795300300.0",
    "1795300300.5",
    "17953003e2",
    str(2**53),
    "9" * 300,
    "9" * 5000,
    "0",
    "-1",
    "-0",
]


@pytest.mark.parametrize("literal", IMPOSSIBLE, ids=lambda literal: literal[:16])
@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
def test_a_time_is_an_integer_within_reason(
    live_broker: RunningBroker, claim: str, literal: str
) -> None:
    token = with_literal(live_broker, claim, literal)

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "1e400"])
def test_what_is_not_json_is_refused_in_any_claim(live_broker: RunningBroker, literal: str) -> None:
    token = with_literal(live_broker, "run_number", literal)

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


def test_the_largest_time_lives_too_long(live_broker: RunningBroker) -> None:
    token = with_literal(live_broker, "exp", str(2**53 - 1))

    assert_refused(live_broker, live_broker.exchange(token), "token_lifetime_too_long")


def test_the_smallest_time_expired_long_ago(live_broker: RunningBroker) -> None:
    token = with_literal(live_broker, "exp", "1")

    event = assert_refused(live_broker, live_broker.exchange(token), "token_expired")
    assert event["claims"]["exp"] == 1
    assert event["claims"]["iat"] == NOW
