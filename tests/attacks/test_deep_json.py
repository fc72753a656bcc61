"""Row 36: JSON nested so deeply that a parser recurses without end."""

import json

import pytest

from tests.attacks.hand_made_tokens import payload_of, with_literal
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("depth", [17, 900, 5500])
def test_a_claim_nested_deeply_is_refused(live_broker: RunningBroker, depth: int) -> None:
    token = with_literal(live_broker, "groups", nested(depth))

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


def test_objects_count_like_lists(live_broker: RunningBroker) -> None:
    token = with_literal(live_broker, "groups", '{"a":' * 400 + "1" + "}" * 400)

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


def test_a_header_nested_deeply_is_refused(live_broker: RunningBroker) -> None:
    members = json.dumps({"alg": "RS256", "kid": live_broker.github.key_id, "typ": "JWT"})
    header = f'{members[:-1]}, "x": {nested(900)}}}'.encode()
    token = live_broker.github.token(payload_of(live_broker), audience=AUDIENCE, header=header)

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


def test_a_claim_nested_as_platforms_do_is_welcome(live_broker: RunningBroker) -> None:
    token = with_literal(live_broker, "kubernetes.io", '{"pod": {"labels": [["a"], ["b"]]}}')

    assert live_broker.exchange(token).status_code == 200


@pytest.mark.parametrize("depth", [17, 900, 30_000])
def test_a_json_body_nested_deeply_is_refused(live_broker: RunningBroker, depth: int) -> None:
    answer = live_broker.request(
        "POST",
        "/api/v1/auth/token",
        content=f'{{"audience": {nested(depth)}}}',
        headers={"content-type": "application/json"},
    )

    assert (answer.status_code, answer.json()["reason"]) == (400, "malformed_request")
    assert answer.json()["error"] == "invalid_request"


def test_a_json_body_of_a_hundred_thousand_brackets_is_not_parsed(
    live_broker: RunningBroker,
) -> None:
    answer = live_broker.request(
        "POST",
        "/api/v1/auth/token",
        content=nested(100_000),
        headers={"content-type": "application/json"},
    )

    assert answer.status_code == 413
