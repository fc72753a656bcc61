"""Attacks rows 5 and 7: a token that brings the key along which it is to be verified with."""

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from broker.testing import FakeIssuer
from tests.attacks.compact_tokens import octo_claims
from tests.attacks.hostile_issuers import key_of
from tests.attacks.presenting import Present
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, GITHUB, NOW, RunningBroker


def signed_by_the_attacker(broker: RunningBroker, header: dict[str, Any]) -> str:
    return broker.github.token(
        octo_claims(),
        audience=AUDIENCE,
        key=key_of("RS256", "attacker"),
        header=header,
    )


def attackers_jwk() -> dict[str, str]:
    return FakeIssuer(GITHUB, key=key_of("RS256", "attacker")).jwks()["keys"][0]


@cache
def self_signed_certificate() -> str:
    """A certificate in GitHub's name, as `x5c` holds it (RFC 7515 §4.1.6)."""
    key = key_of("RS256", "attacker")
    assert isinstance(key, rsa.RSAPrivateKey)
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "token.actions.githubusercontent.com")]
    )
    begin = datetime.fromtimestamp(NOW, UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=1))
        .sign(key, SHA256())
    )
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


@pytest.mark.parametrize("key_id", ["the issuer's", "the attacker's"])
def test_an_embedded_jwk_is_never_read(
    live_broker: RunningBroker, present: Present, key_id: str
) -> None:
    jwk = attackers_jwk()
    kid = jwk["kid"] if key_id == "the attacker's" else live_broker.github.key_id
    token = signed_by_the_attacker(live_broker, {"jwk": jwk, "kid": kid})

    assert_refused(live_broker, present(live_broker, token), "malformed_token")


def test_an_embedded_certificate_is_never_read(
    live_broker: RunningBroker, present: Present
) -> None:
    token = signed_by_the_attacker(live_broker, {"x5c": [self_signed_certificate()]})

    assert_refused(live_broker, present(live_broker, token), "malformed_token")


def test_a_thumbprint_chooses_no_key(live_broker: RunningBroker) -> None:
    header = {"x5t": "c2VsZi1zaWduZWQ", "x5t#S256": "c2VsZi1zaWduZWQ"}
    token = signed_by_the_attacker(live_broker, header)

    assert_refused(live_broker, live_broker.exchange(token), "signature_invalid")


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "cty", "enc"])
@pytest.mark.parametrize("value", ["", "x", None, [], {}, False])
def test_what_could_choose_a_key_or_change_the_reading_is_refused_even_well_signed(
    live_broker: RunningBroker, member: str, value: object
) -> None:
    header = {"alg": "RS256", "kid": live_broker.github.key_id, "typ": "JWT", member: value}
    token = live_broker.github.token(
        octo_claims(), audience=AUDIENCE, header=json.dumps(header).encode()
    )

    assert_refused(live_broker, live_broker.exchange(token), "malformed_token")


@pytest.mark.parametrize(
    "member", [{"x5t": "4VNCgsTy1E5XUAEZrk-ZXPsbDpE"}, {"svt": 1}, {"JWK": {}}, {"nonce": "x"}]
)
def test_other_unknown_members_stop_no_pipeline(
    live_broker: RunningBroker, member: dict[str, Any]
) -> None:
    assert live_broker.exchange(live_broker.github_token(header=member)).status_code == 200
