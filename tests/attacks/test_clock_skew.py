"""Row 41: tokens just outside their time, and the gap between expiry and replay protection."""

import pytest

from tests.attacks.refusals import assert_refused
from tests.running_broker import NOW, RunningBroker
from tests.service_tokens import verified

LEEWAY = 60


def token_expiring(broker: RunningBroker, seconds_from_now: int) -> str:
    return broker.github_token(
        iat=int(NOW) - 300, nbf=int(NOW) - 300, exp=int(NOW) + seconds_from_now
    )


@pytest.mark.parametrize("seconds_ago", [0, 1, 59])
def test_a_token_counts_until_the_leeway_has_passed(
    live_broker: RunningBroker, seconds_ago: int
) -> None:
    verified(live_broker, live_broker.exchange(token_expiring(live_broker, -seconds_ago)))


@pytest.mark.parametrize("seconds_ago", [60, 61, 299])
def test_and_no_longer(live_broker: RunningBroker, seconds_ago: int) -> None:
    answer = live_broker.exchange(token_expiring(live_broker, -seconds_ago))

    assert_refused(live_broker, answer, "token_expired")


@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize(("ahead", "counts"), [(59, True), (60, True), (61, False), (3600, False)])
def test_a_token_from_the_future_counts_within_the_leeway(
    live_broker: RunningBroker, claim: str, ahead: int, *, counts: bool
) -> None:
    times = {"iat": int(NOW), "nbf": int(NOW)} | {claim: int(NOW) + ahead}
    token = live_broker.github_token(**times, exp=times["iat"] + 300)

    answer = live_broker.exchange(token)

    if counts:
        verified(live_broker, answer)
    else:
        assert_refused(live_broker, answer, "token_not_yet_valid")


def test_a_spent_token_is_remembered_for_as_long_as_it_would_count(
    own_broker: RunningBroker,
) -> None:
    token = own_broker.github_token()
    verified(own_broker, own_broker.exchange(token))

    own_broker.clock.advance(300 + LEEWAY - 1)
    # A store forgets what has expired when it is written to.
    for _ in range(20):
        verified(own_broker, own_broker.exchange(own_broker.github_token()))
    assert_refused(own_broker, own_broker.exchange(token), "token_already_used")

    own_broker.clock.advance(1)
    assert_refused(own_broker, own_broker.exchange(token), "token_expired")
    own_broker.clock.advance(3600)
    assert_refused(own_broker, own_broker.exchange(token), "token_expired")
