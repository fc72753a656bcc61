"""Row 121: a short-lived token kept alive by exchanging it for another one."""

import pytest

from broker.core.vocabulary import TOKEN_TYPE_ACCESS_TOKEN
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified


def test_a_service_token_cannot_be_prolonged(own_broker: RunningBroker) -> None:
    issued = own_broker.exchange(own_broker.github_token(), expires_in="60")
    token = issued.json()["access_token"]
    own_broker.clock.advance(59)

    answers = [
        own_broker.exchange(token, expires_in="3600"),
        own_broker.jwt_bearer(token, expires_in="3600"),
    ]

    for answer in answers:
        assert_refused(own_broker, answer, "issuer_not_trusted")
    as_access_token = own_broker.exchange(token, subject_token_type=TOKEN_TYPE_ACCESS_TOKEN)
    assert_refused(own_broker, as_access_token, "unsupported_token_type")


@pytest.mark.parametrize("grant", ["exchange", "jwt_bearer"])
def test_no_refresh_token_is_issued(live_broker: RunningBroker, grant: str) -> None:
    answer = getattr(live_broker, grant)(live_broker.github_token())

    verified(live_broker, answer)
    assert "refresh_token" not in answer.json()


@pytest.mark.parametrize(
    "grant_type",
    [
        "refresh_token",
        "password",
        "authorization_code",
        "implicit",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
    ],
)
def test_no_grant_prolongs_anything(live_broker: RunningBroker, grant_type: str) -> None:
    answer = live_broker.post({"grant_type": grant_type, "refresh_token": "x"})

    assert_refused(live_broker, answer, "grant_type_unsupported")
