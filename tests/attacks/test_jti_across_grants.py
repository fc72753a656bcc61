"""Row 149: a spent token presented in another grant, or at another endpoint."""

from collections.abc import Callable
from itertools import permutations

import httpx
import pytest

from broker.core.vocabulary import (
    ASSERTION_TYPE_JWT,
    GRANT_CLIENT_CREDENTIALS,
    GRANT_JWT_BEARER,
    GRANT_TOKEN_EXCHANGE,
    TOKEN_TYPE_JWT,
)
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified

Door = Callable[[RunningBroker, str], httpx.Response]


def exchange_as_json(broker: RunningBroker, token: str) -> httpx.Response:
    request = {
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token": token,
        "subject_token_type": TOKEN_TYPE_JWT,
        "audience": "deploy-api",
    }
    return broker.request("POST", "/api/v1/auth/token", json=request)


def jwt_bearer_as_form(broker: RunningBroker, token: str) -> httpx.Response:
    request = {"grant_type": GRANT_JWT_BEARER, "assertion": token, "audience": "deploy-api"}
    return broker.request("POST", "/api/v1/auth/token", data=request)


def client_assertion_as_json(broker: RunningBroker, token: str) -> httpx.Response:
    request = {
        "grant_type": GRANT_CLIENT_CREDENTIALS,
        "client_assertion_type": ASSERTION_TYPE_JWT,
        "client_assertion": token,
        "client_id": "deploy-web",
        "audience": "deploy-api",
    }
    return broker.request("POST", "/api/v1/auth/token", json=request)


DOORS: dict[str, Door] = {
    "exchange": RunningBroker.exchange,
    "assertion": RunningBroker.jwt_bearer,
    "exchange as JSON": exchange_as_json,
    "assertion at the API": jwt_bearer_as_form,
    "client assertion": RunningBroker.client_assertion,
    "client assertion as JSON": client_assertion_as_json,
}


@pytest.mark.parametrize(("first", "second"), list(permutations(DOORS, 2)))
def test_a_token_is_spent_for_every_door(
    live_broker: RunningBroker, first: str, second: str
) -> None:
    token = live_broker.github_token()

    verified(live_broker, DOORS[first](live_broker, token))

    assert_refused(live_broker, DOORS[second](live_broker, token), "token_already_used")
