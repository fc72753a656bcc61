"""The clock of the machine is set: forward by mistake, and back again."""

from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified
from tests.stores.entries import assert_chained

HOUR = 3600


def test_a_spent_token_stays_spent_when_the_clock_was_ahead_for_a_while(
    own_broker: RunningBroker,
) -> None:
    token = own_broker.github_token()
    verified(own_broker, own_broker.exchange(token))

    own_broker.clock.advance(HOUR)
    # A store forgets what has expired when it is written to.
    for _ in range(20):
        verified(own_broker, own_broker.exchange(own_broker.github_token()))
    own_broker.clock.advance(-HOUR)

    assert_refused(own_broker, own_broker.exchange(token), "token_already_used")


def test_tokens_are_served_again_once_the_clock_is_right(own_broker: RunningBroker) -> None:
    own_broker.clock.advance(HOUR)
    verified(own_broker, own_broker.exchange(own_broker.github_token()))
    own_broker.clock.advance(-HOUR)

    verified(own_broker, own_broker.exchange(own_broker.github_token()))


def test_a_clock_behind_refuses_what_is_not_valid_yet(own_broker: RunningBroker) -> None:
    token = own_broker.github_token()
    own_broker.clock.advance(-HOUR)

    assert_refused(own_broker, own_broker.exchange(token), "token_not_yet_valid")
    own_broker.clock.advance(HOUR)
    verified(own_broker, own_broker.exchange(token))


def test_the_chain_of_events_holds_whatever_the_clock_says(own_broker: RunningBroker) -> None:
    for step in (10 * HOUR, -9 * HOUR, 5 * HOUR, -6 * HOUR):
        own_broker.clock.advance(step)
        verified(own_broker, own_broker.exchange(own_broker.github_token()))

    assert_chained(own_broker.events())


def test_nothing_is_signed_before_the_first_key_was_made(own_broker: RunningBroker) -> None:
    own_broker.clock.advance(-HOUR)
    answer = own_broker.exchange(own_broker.github_token())

    assert (answer.status_code, answer.json()["reason"]) == (503, "store_unavailable")
    own_broker.clock.advance(HOUR)
    verified(own_broker, own_broker.exchange(own_broker.github_token()))
