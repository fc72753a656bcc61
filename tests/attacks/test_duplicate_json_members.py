"""Row 37: a member twice, so that two parsers read two different tokens."""

import json

import pytest

from broker.core.vocabulary import GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from tests.attacks.hand_made_tokens import payload_of, with_payload
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker


@pytest.mark.parametrize(
    "twice",
    [
        '"sub": "repo:evil/x:ref:refs/heads/main"',
        '"repository_id": "1"',
        '"repository_id": "456789"',
        '"s\\u0075b": "repo:evil/x:ref:refs/heads/main"',
        '"exp": 4000000000',
        '"nested": {"a": 1, "a": 2}',
        '"list": [{"a": 1, "a": 2}]',
    ],
)
def test_a_claim_stands_once(live_broker: RunningBroker, twice: str) -> None:
    payload = json.dumps(payload_of(live_broker))

    for text in (f"{{{twice}, {payload[1:]}", f"{payload[:-1]}, {twice}}}"):
        answer = live_broker.exchange(with_payload(live_broker, text))
        assert_refused(live_broker, answer, "malformed_token")


@pytest.mark.parametrize(
    "header",
    [
        '{{"alg": "none", "alg": "RS256", "kid": "{kid}", "typ": "JWT"}}',
        '{{"alg": "RS256", "alg": "none", "kid": "{kid}", "typ": "JWT"}}',
        '{{"alg": "RS256", "kid": "other", "kid": "{kid}", "typ": "JWT"}}',
        '{{"alg": "RS256", "alg": "RS256", "kid": "{kid}", "typ": "JWT"}}',
    ],
)
def test_a_header_member_stands_once(live_broker: RunningBroker, header: str) -> None:
    token = live_broker.github.token(
        payload_of(live_broker),
        audience=AUDIENCE,
        header=header.format(kid=live_broker.github.key_id).encode(),
    )

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


def test_a_member_of_a_json_request_stands_once(live_broker: RunningBroker) -> None:
    token = live_broker.github_token()
    request = {
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token": token,
        "subject_token_type": TOKEN_TYPE_JWT,
        "audience": "deploy-api",
    }

    answer = live_broker.request(
        "POST",
        "/api/v1/auth/token",
        content=json.dumps(request)[:-1] + ', "audience": "artifacts"}',
        headers={"content-type": "application/json"},
    )

    assert_refused(live_broker, answer, "malformed_request")
    assert live_broker.exchange(token).status_code == 200
