"""Row 47: whoever learns a token's id spends it before its owner can."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.attacks.hand_made_tokens import payload_of, with_payload
from tests.attacks.refusals import assert_refused
from tests.attacks.replacing_signatures import with_flipped_signature
from tests.running_broker import AUDIENCE, RunningBroker
from tests.service_tokens import verified

Attempt = Callable[[RunningBroker, str], httpx.Response]

ATTEMPTS: dict[str, tuple[Attempt, str]] = {
    "a bad signature": (
        lambda broker, token: broker.exchange(with_flipped_signature(token)),
        "signature_invalid",
    ),
    "an unknown service": (
        lambda broker, token: broker.exchange(token, audience="no-such-service"),
        "target_unknown",
    ),
    "no service": (lambda broker, token: broker.exchange(token, audience=None), "target_required"),
    "a service that is not granted": (
        lambda broker, token: broker.exchange(token, audience="billing"),
        "target_unknown",
    ),
    "a scope that is not granted": (
        lambda broker, token: broker.exchange(token, scope="deploy:admin"),
        "scope_not_allowed",
    ),
    "another service account": (
        lambda broker, token: broker.exchange(token, client_id="deploy-all"),
        "no_policy_matched",
    ),
    "a wrong type": (
        lambda broker, token: broker.exchange(token, subject_token_type="saml2"),
        "unsupported_token_type",
    ),
    "a wrong time to live": (
        lambda broker, token: broker.exchange(token, expires_in="-1"),
        "malformed_request",
    ),
    "client credentials": (
        lambda broker, token: broker.exchange(token, client_secret="guess"),
        "client_unknown_or_bad_secret",
    ),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_refused_request_spends_nothing(live_broker: RunningBroker, attempt: str) -> None:
    token = live_broker.github_token()
    send, reason = ATTEMPTS[attempt]

    assert_refused(live_broker, send(live_broker, token), reason)

    verified(live_broker, live_broker.exchange(token))


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "https://other.example"}, "audience_mismatch"),
        ({"exp": 1_795_200_000, "iat": 1_795_199_700}, "token_expired"),
        ({"iat": 1_795_300_200, "exp": 1_795_300_500}, "token_not_yet_valid"),
        ({"sub": ""}, "claim_invalid"),
        ({"event_name": "pull_request"}, "no_policy_matched"),
        ({"repository_id": "1"}, "no_policy_matched"),
    ],
)
def test_nor_does_another_token_with_its_id(
    live_broker: RunningBroker, claims: dict[str, Any], reason: str
) -> None:
    payload = payload_of(live_broker)

    other = with_payload(live_broker, json.dumps(payload | claims))
    assert_refused(live_broker, live_broker.exchange(other), reason)

    verified(
        live_broker, live_broker.exchange(live_broker.github.token(payload, audience=AUDIENCE))
    )
