"""Row 118: a token announced as something else, or an actor slipped in."""

import pytest

from broker.core.vocabulary import TOKEN_TYPE_ACCESS_TOKEN, TOKEN_TYPE_ID_TOKEN, TOKEN_TYPE_JWT
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified

PREFIX = "urn:ietf:params:oauth:token-type:"


@pytest.mark.parametrize("token_type", [TOKEN_TYPE_JWT, TOKEN_TYPE_ID_TOKEN])
def test_a_jwt_and_an_id_token_are_taken(live_broker: RunningBroker, token_type: str) -> None:
    answer = live_broker.exchange(live_broker.github_token(), subject_token_type=token_type)

    verified(live_broker, answer)


@pytest.mark.parametrize(
    "token_type",
    [
        TOKEN_TYPE_ACCESS_TOKEN,
        f"{PREFIX}refresh_token",
        f"{PREFIX}saml1",
        f"{PREFIX}saml2",
        f"{PREFIX}jwt ",
        f"{PREFIX}JWT",
        "jwt",
        "https://evil.example/type",
    ],
)
def test_nothing_else_is(live_broker: RunningBroker, token_type: str) -> None:
    answer = live_broker.exchange(live_broker.github_token(), subject_token_type=token_type)

    assert_refused(live_broker, answer, "unsupported_token_type")
    assert "subject_token_type" in answer.json()["error_description"]


def test_the_type_must_be_said(live_broker: RunningBroker) -> None:
    for missing in ("subject_token_type", "subject_token"):
        answer = live_broker.exchange(live_broker.github_token(), **{missing: ""})
        assert_refused(live_broker, answer, "malformed_request")


@pytest.mark.parametrize("token_type", [TOKEN_TYPE_ID_TOKEN, f"{PREFIX}refresh_token", "N_A"])
def test_no_other_type_can_be_requested(live_broker: RunningBroker, token_type: str) -> None:
    answer = live_broker.exchange(live_broker.github_token(), requested_token_type=token_type)

    assert_refused(live_broker, answer, "unsupported_token_type")


def test_an_actor_is_refused_not_ignored(live_broker: RunningBroker) -> None:
    actor = live_broker.github_token()
    for actor_parameters in (
        {"actor_token": actor},
        {"actor_token_type": TOKEN_TYPE_JWT},
        {"actor_token": actor, "actor_token_type": TOKEN_TYPE_JWT},
    ):
        answer = live_broker.exchange(live_broker.github_token(), **actor_parameters)
        assert_refused(live_broker, answer, "malformed_request")


def test_what_was_issued_is_named_truly(live_broker: RunningBroker) -> None:
    answer = live_broker.exchange(
        live_broker.github_token(), requested_token_type=TOKEN_TYPE_ACCESS_TOKEN
    )

    assert answer.json()["issued_token_type"] == TOKEN_TYPE_ACCESS_TOKEN
    assert answer.json()["token_type"] == "Bearer"
