"""Attacks row 15: signatures that a careless verifier takes for good ones (CVE-2022-21449)."""

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.attacks.compact_tokens import decoded, with_signature
from tests.attacks.hostile_issuers import HostileIssuers
from tests.attacks.key_publisher import document
from tests.attacks.presenting import Present
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker

# The order of the group of P-256 (FIPS 186-4 §D.1.2.3).
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


ECDSA = {
    "r = s = 0": raw(0, 0),
    "r = 0": raw(0, 1),
    "s = 0": raw(1, 0),
    "r = s = 1": raw(1, 1),
    "r = s = order": raw(ORDER, ORDER),
    "r = order, s = 1": raw(ORDER, 1),
    "all ones": b"\xff" * 64,
    "one byte": b"\x00",
    "too short": b"\x00" * 63,
    "too long": b"\x00" * 65,
    "DER of zeros": encode_dss_signature(0, 0),
}


@pytest.mark.parametrize("name", ECDSA)
def test_a_degenerate_ecdsa_signature_is_refused(
    hostile_issuers: HostileIssuers, name: str
) -> None:
    issuer = hostile_issuers.fresh()
    issuer.publish(document(issuer.jwk(algorithm="ES256")))
    token = with_signature(issuer.token(algorithm="ES256"), ECDSA[name])

    assert_refused(issuer.broker, issuer.broker.exchange(token), "signature_invalid")


def test_a_good_ecdsa_signature_counts_in_its_one_encoding(
    hostile_issuers: HostileIssuers,
) -> None:
    issuer = hostile_issuers.fresh()
    issuer.publish(document(issuer.jwk(algorithm="ES256")))
    token = issuer.token(algorithm="ES256")
    signature = decoded(token.rpartition(".")[2])
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")

    for other in (encode_dss_signature(r, s), b"\x00" + signature, signature + b"\x00"):
        response = issuer.broker.exchange(with_signature(token, other))
        assert_refused(issuer.broker, response, "signature_invalid")
    assert issuer.broker.exchange(token).status_code == 200


@pytest.mark.parametrize("signature", [b"\x00" * 64, b"\x01" + b"\x00" * 63], ids=["0", "1"])
def test_a_degenerate_ed25519_signature_is_refused(
    hostile_issuers: HostileIssuers, signature: bytes
) -> None:
    issuer = hostile_issuers.fresh()
    issuer.publish(document(issuer.jwk(algorithm="EdDSA")))
    token = with_signature(issuer.token(algorithm="EdDSA"), signature)

    assert_refused(issuer.broker, issuer.broker.exchange(token), "signature_invalid")


@pytest.mark.parametrize(
    "signature",
    [b"\x00" * 256, b"\x00" * 255 + b"\x01", b"\xff" * 256, b"\x00", b"\x01" * 257],
    ids=["0", "1", "ones", "one byte", "too long"],
)
def test_a_degenerate_rsa_signature_is_refused(
    live_broker: RunningBroker, present: Present, signature: bytes
) -> None:
    token = with_signature(live_broker.github_token(), signature)

    assert_refused(live_broker, present(live_broker, token), "signature_invalid")


def test_an_rsa_signature_beyond_the_modulus_is_refused(live_broker: RunningBroker) -> None:
    token = live_broker.github_token()
    key = live_broker.github.key
    assert isinstance(key, rsa.RSAPrivateKey)
    signature = int.from_bytes(decoded(token.rpartition(".")[2]), "big")
    beyond = signature + key.public_key().public_numbers().n

    response = live_broker.exchange(with_signature(token, beyond.to_bytes(257, "big")))

    assert_refused(live_broker, response, "signature_invalid")


def test_another_keys_signature_is_refused(live_broker: RunningBroker, present: Present) -> None:
    mine, theirs = live_broker.github_token(), live_broker.gitlab_token()
    token = with_signature(mine, decoded(theirs.rpartition(".")[2]))

    assert_refused(live_broker, present(live_broker, token), "signature_invalid")
