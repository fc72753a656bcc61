"""Row 129: a key id that is guessed, or that stands for two keys after a rotation."""

import base64
import hashlib
import json

import jwt
import pytest

from tests.running_broker import RunningBroker
from tests.service_tokens import verified

THUMBPRINT_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y")}
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def thumbprint(key: dict[str, str]) -> str:
    """RFC 7638 §3, written out."""
    members = {name: key[name] for name in sorted(THUMBPRINT_MEMBERS[key["kty"]])}
    text = json.dumps(members, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def test_every_key_is_named_by_its_thumbprint(live_broker: RunningBroker) -> None:
    keys = live_broker.request("GET", "/.well-known/jwks.json").json()["keys"]

    assert {key["alg"] for key in keys} == {"RS256", "ES256"}
    assert len({key["kid"] for key in keys}) == len(keys)
    for key in keys:
        assert key["kid"] == thumbprint(key)
        assert key["use"] == "sig"
        assert PRIVATE_MEMBERS.isdisjoint(key)


@pytest.mark.parametrize(
    ("service", "algorithm"), [("deploy-api", "ES256"), ("artifacts", "RS256")]
)
def test_a_token_names_the_key_and_algorithm_that_signed_it(
    live_broker: RunningBroker, service: str, algorithm: str
) -> None:
    answer = live_broker.exchange(live_broker.github_token(), audience=service)
    audience = {"deploy-api": "https://deploy.example.com"}.get(
        service, "https://artifacts.example.com"
    )
    verified(live_broker, answer, audience=audience)

    header = jwt.get_unverified_header(answer.json()["access_token"])

    keys = live_broker.request("GET", "/.well-known/jwks.json").json()["keys"]
    (key,) = (key for key in keys if key["kid"] == header["kid"])
    assert header == {"typ": "at+jwt", "alg": algorithm, "kid": key["kid"]}
    assert key["alg"] == algorithm
