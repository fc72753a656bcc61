"""Row 117: a parameter twice, or one in the URL, so that two readers see two requests."""

from urllib.parse import urlencode

import pytest

from broker.core.vocabulary import GRANT_JWT_BEARER, GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from tests.attacks.refusals import LOG, assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified

FORM = {"content-type": "application/x-www-form-urlencoded"}


def parameters_of(broker: RunningBroker) -> dict[str, str]:
    return {
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token": broker.github_token(),
        "subject_token_type": TOKEN_TYPE_JWT,
        "audience": "deploy-api",
        "scope": "deploy:read",
        "client_id": "deploy-web",
        "expires_in": "60",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "unknown": "x",
    }


@pytest.mark.parametrize(
    "name",
    [
        "grant_type", "subject_token", "subject_token_type", "scope", "client_id", "expires_in",
        "requested_token_type", "unknown",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/oauth/token", "/api/v1/auth/token"])
def test_a_parameter_stands_once(live_broker: RunningBroker, path: str, name: str) -> None:
    parameters = parameters_of(live_broker)
    for second in (parameters[name], "", "other"):
        body = urlencode([*parameters.items(), (name, second)])

        answer = live_broker.request("POST", path, content=body, headers=FORM)

        assert_refused(live_broker, answer, "malformed_request")


def test_a_name_that_is_escaped_is_the_same_name(live_broker: RunningBroker) -> None:
    body = urlencode(parameters_of(live_broker)) + "&grant%5Ftype=" + GRANT_JWT_BEARER

    answer = live_broker.request("POST", "/oauth/token", content=body, headers=FORM)

    assert_refused(live_broker, answer, "malformed_request")


@pytest.mark.parametrize("name", ["grant_type", "audience", "scope", "client_secret", "x"])
@pytest.mark.parametrize("path", ["/oauth/token", "/api/v1/auth/token"])
def test_nothing_is_read_from_the_url(live_broker: RunningBroker, path: str, name: str) -> None:
    parameters = parameters_of(live_broker)

    answer = live_broker.request("POST", f"{path}?{urlencode({name: 'url-mark'})}", data=parameters)

    assert_refused(live_broker, answer, "malformed_request")
    assert "url-mark" not in answer.text + LOG.text()


def test_a_token_in_the_url_is_neither_taken_nor_logged(live_broker: RunningBroker) -> None:
    parameters = parameters_of(live_broker)
    token = parameters.pop("subject_token")

    answer = live_broker.request("POST", f"/oauth/token?subject_token={token}", data=parameters)

    assert_refused(live_broker, answer, "malformed_request")
    assert token.split(".")[1] not in answer.text + LOG.text() + repr(live_broker.events())


def test_an_empty_parameter_is_as_good_as_none(live_broker: RunningBroker) -> None:
    parameters = parameters_of(live_broker) | {"scope": "", "expires_in": "", "client_id": ""}

    verified(live_broker, live_broker.post(parameters))


def test_more_parameters_than_any_grant_has_are_refused(live_broker: RunningBroker) -> None:
    parameters = parameters_of(live_broker) | {f"p{number}": "x" for number in range(50)}

    assert_refused(live_broker, live_broker.post(parameters), "malformed_request")


@pytest.mark.parametrize(
    "pair", ["scope=%FF", "scope=%C0%AF", "audience=%ED%A0%80", "client_id=caf%E9"]
)
def test_an_escape_that_is_not_utf_8_is_refused(live_broker: RunningBroker, pair: str) -> None:
    name = pair.partition("=")[0]
    rest = {k: v for k, v in parameters_of(live_broker).items() if k != name}

    answer = live_broker.request(
        "POST", "/oauth/token", content=f"{urlencode(rest)}&{pair}", headers=FORM
    )

    assert_refused(live_broker, answer, "malformed_request")


def test_a_body_that_is_not_ascii_is_no_form(live_broker: RunningBroker) -> None:
    body = urlencode(parameters_of(live_broker)).encode() + "&x=ü".encode()

    answer = live_broker.request("POST", "/oauth/token", content=body, headers=FORM)

    assert_refused(live_broker, answer, "malformed_request")
