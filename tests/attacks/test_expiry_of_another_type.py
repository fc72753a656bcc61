"""Row 39: an expiry that a lenient library converts, or does not miss."""

from typing import Any

import pytest

from tests.attacks.hand_made_tokens import with_raw_claim, without_claim
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker


@pytest.mark.parametrize(
    "value",
    [
        "1795300300",
        " 1795300300 ",
        "1_795_300_300",
        "١٧٩٥٣٠٠٣٠٠",
        "",
        True,
        None,
        [1_795_300_300],
        {"$numberLong": "1795300300"},
    ],
    ids=repr,
)
@pytest.mark.parametrize("claim", ["exp", "iat"])
def test_a_time_of_another_type_is_refused(
    live_broker: RunningBroker, claim: str, value: Any
) -> None:
    token = with_raw_claim(live_broker, claim, value)

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


@pytest.mark.parametrize("value", ["1795299700", True, [1], {}, 1.5], ids=repr)
def test_so_is_a_start_of_another_type(live_broker: RunningBroker, value: Any) -> None:
    token = with_raw_claim(live_broker, "nbf", value)

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


@pytest.mark.parametrize("claim", ["exp", "iat"])
def test_a_token_without_its_times_is_refused(live_broker: RunningBroker, claim: str) -> None:
    token = without_claim(live_broker, claim)

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


def test_a_start_may_be_missing(live_broker: RunningBroker) -> None:
    token = without_claim(live_broker, "nbf")

    assert live_broker.exchange(token).status_code == 200
