"""Row 43: a CI token from a log or a stolen runner, presented once more."""

from tests.attacks.hand_made_tokens import payload_of
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker
from tests.service_tokens import verified


def test_a_token_buys_one_service_token(live_broker: RunningBroker) -> None:
    token = live_broker.github_token()
    minted = live_broker.minted()

    first = live_broker.exchange(token)
    again = [live_broker.exchange(token) for _ in range(3)]

    verified(live_broker, first)
    for answer in again:
        event = assert_refused(live_broker, answer, "token_already_used")
        assert event["token_id"] is None
        assert event["claims"]["repository_id"] == "456789"
    assert live_broker.minted() == minted + 1


def test_another_service_does_not_make_it_another_token(live_broker: RunningBroker) -> None:
    token = live_broker.github_token()
    verified(live_broker, live_broker.exchange(token, scope="deploy:read"))

    answer = live_broker.exchange(token, audience="artifacts")

    assert_refused(live_broker, answer, "token_already_used")


def test_the_id_counts_not_the_text(live_broker: RunningBroker) -> None:
    claims = payload_of(live_broker)
    verified(live_broker, live_broker.exchange(live_broker.github.token(claims, audience=AUDIENCE)))

    signed_anew = live_broker.github.token(claims | {"run_attempt": "2"}, audience=AUDIENCE)
    answer = live_broker.exchange(signed_anew)

    assert_refused(live_broker, answer, "token_already_used")


def test_both_uses_are_on_record_under_one_fingerprint(live_broker: RunningBroker) -> None:
    token = live_broker.github_token()
    granted = live_broker.exchange(token).json()["token_id"]

    refused = assert_refused(live_broker, live_broker.exchange(token), "token_already_used")

    (first,) = (event for event in live_broker.events() if event["token_id"] == granted)
    assert first["subject_token_id"] == refused["subject_token_id"]
    assert first["outcome"] == "success"


def test_a_restart_forgets_nothing(own_broker: RunningBroker) -> None:
    token = own_broker.github_token()
    verified(own_broker, own_broker.exchange(token))
    successor = RunningBroker(own_broker.folder)
    successor.github = own_broker.github

    with successor.serving():
        assert_refused(successor, successor.exchange(token), "token_already_used")
