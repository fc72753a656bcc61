"""Tokens whose payload or header is written by hand, because no JSON library would write it."""

import json
from typing import Any

from broker.testing import github_claims
from tests.running_broker import AUDIENCE, OCTO_REPO, RunningBroker


def payload_of(broker: RunningBroker, **claims: Any) -> dict[str, Any]:
    """Give all claims of the base token, the registered ones included."""
    return broker.github.claims(github_claims(**{**OCTO_REPO, **claims}), audience=AUDIENCE)


def with_payload(broker: RunningBroker, payload: str | bytes) -> str:
    """Sign a payload as it is with the key of the issuer."""
    text = payload.encode() if isinstance(payload, str) else payload
    return broker.github.token({}, audience=AUDIENCE, payload=text)


def with_literal(broker: RunningBroker, claim: str, literal: str) -> str:
    """Sign the base token with one claim written as this JSON literal, valid or not."""
    payload = payload_of(broker)
    payload.pop(claim, None)
    return with_payload(broker, f'{json.dumps(payload)[:-1]}, "{claim}": {literal}}}')


def with_raw_claim(broker: RunningBroker, claim: str, value: Any) -> str:
    """Sign the base token with one claim of any JSON type; null is sent as null."""
    return with_payload(broker, json.dumps(payload_of(broker) | {claim: value}))


def without_claim(broker: RunningBroker, claim: str) -> str:
    """Sign the base token without one claim."""
    payload = payload_of(broker)
    del payload[claim]
    return with_payload(broker, json.dumps(payload))
