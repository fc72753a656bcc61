"""`/api/v1/keys`: seen and rotated by the broker's own tokens, over real HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

OPERATORS = """\
service_accounts:
  key-reader: {grants: {broker: ["broker:keys:read"]}}
  key-writer: {grants: {broker: ["broker:keys:*"]}}
policies:
  reads-keys:
    service_account: key-reader
    issuer: github
    match: {repository_id: 456789, environment: reads-keys}
  writes-keys:
    service_account: key-writer
    issuer: github
    match: {repository_id: 456789, environment: writes-keys}
"""
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    """A broker whose keys a test may change."""
    with special_broker(tmp_path, OPERATORS) as running:
        yield running


def bearer(broker: RunningBroker, environment: str) -> dict[str, str]:
    ci_token = broker.github_token(environment=environment, ref="refs/heads/ops")
    token: str = broker.exchange(ci_token, audience="broker").json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


def listed(broker: RunningBroker) -> list[dict[str, Any]]:
    answer = broker.request("GET", "/api/v1/keys", headers=bearer(broker, "reads-keys"))
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def rotate(broker: RunningBroker, **request: Any) -> httpx.Response:
    headers = bearer(broker, "writes-keys")
    return broker.request("POST", "/api/v1/keys/rotate", headers=headers, **request)


def published(broker: RunningBroker) -> list[dict[str, str]]:
    keys: list[dict[str, str]] = broker.request("GET", "/.well-known/jwks.json").json()["keys"]
    return keys


def service_token(broker: RunningBroker) -> str:
    token: str = broker.exchange(broker.github_token()).json()["access_token"]
    return token


def key_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def test_a_reader_sees_every_key_and_nothing_private(broker: RunningBroker) -> None:
    items = listed(broker)

    assert [(item["alg"], item["state"]) for item in items] == [
        ("ES256", "signing"),
        ("ES256", "standby"),
        ("RS256", "signing"),
        ("RS256", "standby"),
    ]
    assert {item["kid"] for item in items} == {jwk["kid"] for jwk in published(broker)}
    assert not any(PRIVATE_MEMBERS & item.keys() for item in [*items, *published(broker)])
    assert items[0]["sign_until"] == items[1]["sign_from"]
    assert items[1]["sign_until"] is None


def test_a_reader_does_not_rotate(broker: RunningBroker) -> None:
    headers = bearer(broker, "reads-keys")
    answer = broker.request("POST", "/api/v1/keys/rotate", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_PERMISSIONS")
    assert broker.request("POST", "/api/v1/keys/rotate").status_code == 401
    assert broker.request("GET", "/api/v1/keys").status_code == 401


def test_a_rotation_is_scheduled_for_when_verifiers_know_the_key(broker: RunningBroker) -> None:
    before = service_token(broker)
    answer = rotate(broker)

    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    planned = {item["alg"]: item for item in answer.json()["items"]}
    assert planned["ES256"]["before"] == key_of(before) == key_of(service_token(broker))
    broker.clock.advance(86_400)
    after = service_token(broker)
    assert key_of(after) == planned["ES256"]["kid"]
    # The keys of both are published, for as long as one of their tokens lives.
    assert {key_of(before), key_of(after)} <= {jwk["kid"] for jwk in published(broker)}


def test_a_rotation_at_once_signs_with_the_next_key(broker: RunningBroker) -> None:
    before = key_of(service_token(broker))
    assert rotate(broker, json={"now": True}).status_code == 200

    after = service_token(broker)
    assert key_of(after) != before
    keys = jwt.PyJWKSet.from_dict({"keys": published(broker)})
    assert keys[key_of(after)].key_id == key_of(after)
    events = [event for event in broker.events() if event["type"] == "key.rotated"]
    assert {event["actor"] for event in events} == {"key-writer"}
    assert key_of(after) in {event["target"] for event in events}


def test_a_token_of_before_still_opens_the_api_after_a_rotation(broker: RunningBroker) -> None:
    headers = bearer(broker, "reads-keys")
    rotate(broker, json={"now": True})

    assert broker.request("GET", "/api/v1/keys", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b'{"now": 1}',
        b'{"now": "true"}',
        b'{"later": true}',
        b"{",
        b'{"now":true,"now":false}',
    ],
)
def test_another_body_is_refused_and_nothing_rotates(broker: RunningBroker, content: bytes) -> None:
    before = listed(broker)
    answer = rotate(broker, content=content)

    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert listed(broker) == before


def test_a_body_that_is_too_large_is_refused(broker: RunningBroker) -> None:
    answer = rotate(broker, content=b" " * 70_000)

    assert (answer.status_code, answer.json()["code"]) == (413, "INVALID_REQUEST")
