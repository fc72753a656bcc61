"""The requests of a measurement: exchanges, each of a token of its own, and client credentials."""

from collections.abc import Sequence
from urllib.parse import urlencode

from bench.rounds import REQUESTS
from bench.servers import AUDIENCE
from broker.core.vocabulary import (
    GRANT_CLIENT_CREDENTIALS,
    GRANT_TOKEN_EXCHANGE,
    TOKEN_TYPE_JWT,
)
from broker.testing import FakeIssuer, github_claims


def exchanges(issuer: FakeIssuer, service: str, **more: str) -> Sequence[bytes]:
    """Make the forms of one round: GitHub-like tokens in."""
    form = {
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token_type": TOKEN_TYPE_JWT,
        "audience": service,
        **more,
    }
    tokens = (issuer.token(github_claims(), audience=AUDIENCE) for _ in range(REQUESTS))
    return [urlencode(form | {"subject_token": token}).encode() for token in tokens]


def credentials(client_id: str, secret: str, **more: str) -> Sequence[bytes]:
    """Make the forms of one round: a client secret in."""
    form = {"grant_type": GRANT_CLIENT_CREDENTIALS, "client_id": client_id, "client_secret": secret}
    return [urlencode(form | {"scope": "deploy", **more}).encode()] * REQUESTS
