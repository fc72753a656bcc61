"""The ways in which a CI token can be presented; every one of them must refuse alike."""

from collections.abc import Callable, Mapping
from typing import Final

import httpx

from broker.core.vocabulary import GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from tests.running_broker import RunningBroker

Present = Callable[[RunningBroker, str], httpx.Response]


def by_token_exchange(broker: RunningBroker, token: str) -> httpx.Response:
    """Present it as RFC 8693 has it."""
    return broker.exchange(token)


def by_jwt_bearer(broker: RunningBroker, token: str) -> httpx.Response:
    """Present it as RFC 7523 has it."""
    return broker.jwt_bearer(token)


def by_json(broker: RunningBroker, token: str) -> httpx.Response:
    """Present it as RFC 8693 has it, but in JSON."""
    members = {
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token": token,
        "subject_token_type": TOKEN_TYPE_JWT,
        "audience": "deploy-api",
    }
    return broker.request("POST", "/api/v1/auth/token", json=members)


def by_client_assertion(broker: RunningBroker, token: str) -> httpx.Response:
    """Present it as the assertion of a client, with the account that it would act as."""
    return broker.client_assertion(token)


WAYS: Final[Mapping[str, Present]] = {
    "token exchange": by_token_exchange,
    "jwt-bearer": by_jwt_bearer,
    "JSON": by_json,
    "client assertion": by_client_assertion,
}
