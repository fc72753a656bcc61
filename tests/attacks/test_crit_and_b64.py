"""Attacks rows 9 and 10: extensions that must be understood (CVE-2026-32597, PYSEC-2026-178)."""

import json

import pytest

from broker.testing.jws import compact_jws
from tests.attacks.compact_tokens import octo_claims
from tests.attacks.presenting import Present
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker


@pytest.mark.parametrize("critical", [["x"], ["alg"], ["b64"], ["exp", "x"], [], ["x", "x"]])
def test_no_critical_extension_is_understood(
    live_broker: RunningBroker, critical: list[str]
) -> None:
    token = live_broker.github_token(header={"crit": critical, "x": 1})

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


def test_a_critical_extension_is_refused_however_it_is_presented(
    live_broker: RunningBroker, present: Present
) -> None:
    token = live_broker.github_token(
        header={"crit": ["http://example.invalid/UNDEFINED"], "http://example.invalid/UNDEFINED": 1}
    )

    assert_refused(live_broker, present(live_broker, token), "malformed_token")


@pytest.mark.parametrize("b64", [False, True, "false"])
def test_an_unencoded_payload_is_refused(live_broker: RunningBroker, b64: object) -> None:
    token = live_broker.github_token(header={"b64": b64, "crit": ["b64"]})

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


@pytest.mark.parametrize("size", [0, 1_000, 40_000])
def test_a_payload_that_is_really_unencoded_is_refused(
    live_broker: RunningBroker, size: int
) -> None:
    """RFC 7797: the payload is signed as it stands, here with a body that is large in vain."""
    issuer = live_broker.github
    header = {"alg": "RS256", "kid": issuer.key_id, "b64": False, "crit": ["b64"]}
    claims = issuer.claims(octo_claims(padding="x" * size), audience=AUDIENCE)
    payload = json.dumps(claims)
    signed = compact_jws(header, payload.encode(), algorithm="RS256", key=issuer.key)
    head, _, signature = signed.split(".")

    for token in (f"{head}.{payload}.{signature}", f"{head}..{signature}"):
        assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


def test_a_detached_payload_is_not_taken_from_elsewhere(live_broker: RunningBroker) -> None:
    head, payload, signature = live_broker.github_token().split(".")

    response = live_broker.exchange(f"{head}..{signature}", payload=payload)

    assert_refused(live_broker, response, "malformed_token")
