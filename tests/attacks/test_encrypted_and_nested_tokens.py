"""Attacks row 12: what is not one signed token in compact form (GHSA-cjwg-qfpm-7377)."""

import json
import zlib

import pytest

from broker.testing.jws import compact_jws
from tests.attacks.compact_tokens import base64url, octo_claims
from tests.attacks.presenting import Present
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker


def encrypted(broker: RunningBroker) -> str:
    """The form of a JWE whose inside would decompress to a gigabyte (RFC 7516 §3.1)."""
    header = {"alg": "dir", "enc": "A256GCM", "zip": "DEF", "kid": broker.github.key_id}
    parts = [
        json.dumps(header).encode(),
        b"",
        b"0" * 12,
        zlib.compress(b" " * 1_000_000),
        b"0" * 16,
    ]
    return ".".join(base64url(part) for part in parts)


def test_an_encrypted_token_is_refused(live_broker: RunningBroker, present: Present) -> None:
    assert_refused(live_broker, present(live_broker, encrypted(live_broker)), "malformed_token")


def test_a_nested_token_is_refused(live_broker: RunningBroker, present: Present) -> None:
    issuer = live_broker.github
    inner = live_broker.github_token().encode()
    header = {"alg": "RS256", "kid": issuer.key_id, "typ": "JWT", "cty": "JWT"}
    nested = compact_jws(header, inner, algorithm="RS256", key=issuer.key)

    assert_refused(live_broker, present(live_broker, nested), "malformed_token")


def test_a_nested_token_that_hides_it_is_refused(live_broker: RunningBroker) -> None:
    inner = live_broker.github_token().encode()
    for payload in (inner, json.dumps(inner.decode()).encode()):
        token = live_broker.github.token({}, audience=AUDIENCE, payload=payload)
        assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


@pytest.mark.parametrize("content_type", ["JWT", "jwt", "application/json", "example;part=1"])
def test_a_content_type_is_refused(live_broker: RunningBroker, content_type: str) -> None:
    token = live_broker.github_token(header={"cty": content_type})

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


def test_a_compressed_payload_is_not_decompressed(live_broker: RunningBroker) -> None:
    claims = live_broker.github.claims(octo_claims(), audience=AUDIENCE)
    honest = zlib.compress(json.dumps(claims).encode())[2:-4]
    bomb = zlib.compress(b'{"x":"' + b" " * 5_000_000 + b'"}', level=9)[2:-4]

    for payload in (honest, bomb):
        token = live_broker.github.token(
            {}, audience=AUDIENCE, payload=payload, header={"zip": "DEF"}
        )
        assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


def test_the_json_forms_are_refused(live_broker: RunningBroker, present: Present) -> None:
    """RFC 7515 §7.2, flattened and general."""
    header, payload, signature = live_broker.github_token().split(".")
    flat = {"payload": payload, "protected": header, "signature": signature}
    general = {"payload": payload, "signatures": [{"protected": header, "signature": signature}]}

    for form in (flat, general):
        assert_refused(live_broker, present(live_broker, json.dumps(form)), "malformed_token")


@pytest.mark.parametrize(
    "form",
    [
        "{0}.{1}",
        "{0}.{1}.{2}.",
        ".{0}.{1}.{2}",
        "{0}.{1}.{2}.{2}",
        "{0}.{1}.{2}.{1}.{2}",
        "{0}..{1}.{2}",
        "..",
        "...",
        "{0}..{2}",
        ".{1}.{2}",
        "{0}",
        "Bearer {0}.{1}.{2}",
        "{0}.{1}.{2} {0}.{1}.{2}",
        "{0}.{1}.{2},{0}.{1}.{2}",
        "{2}.{1}.{0}",
        "{0}\u2024{1}\u2024{2}",
    ],
)
def test_a_token_of_more_or_fewer_parts_is_refused(live_broker: RunningBroker, form: str) -> None:
    token = form.format(*live_broker.github_token().split("."))

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")
