"""Attacks row 13: trusted issuers that publish keys which prove nothing."""

import base64
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from broker.testing.jws import PrivateKey
from tests.attacks.compact_tokens import base64url, with_signature
from tests.attacks.hostile_issuers import HostileIssuer, HostileIssuers, key_of
from tests.attacks.key_publisher import document
from tests.attacks.refusals import LOG, assert_refused


@cache
def rsa_key(bits: int, exponent: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=exponent, key_size=bits)


# RFC 8032 §5.1; the last two are other writings of 0 and 1.
PRIME = 2**255 - 19
ORDER_EIGHT = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
SMALL_ORDER = [0, 1, PRIME - 1, ORDER_EIGHT, PRIME - ORDER_EIGHT, PRIME, PRIME + 1]
WEAK_KEYS = {"1024 bits": (1024, 65_537), "2040 bits": (2040, 65_537), "exponent 3": (2048, 3)}

WEAK_MEMBERS: dict[str, dict[str, Any]] = {
    "for encryption": {"use": "enc"},
    "for an unknown use": {"use": "SIG"},
    "operations without verify": {"key_ops": ["encrypt"]},
    "no operations": {"key_ops": []},
    "operations that are no list": {"key_ops": "verify"},
    "for another algorithm family": {"alg": "RSA-OAEP"},
    "for an HMAC": {"alg": "HS256"},
    "for none": {"alg": "none"},
    "algorithm of a wrong type": {"alg": ["RS256"]},
    "unknown type": {"kty": "rsa"},
    "published with its private part": {"d": "AQAB"},
    "published with one of its primes": {"p": "AQAB"},
    "published with a part that leads to its primes": {"dq": "AQAB"},
    "published with a secret": {"k": "AQAB"},
    "without modulus": {"n": None},
    "modulus that is no base64url": {"n": "!!!"},
    "modulus of a wrong type": {"n": 7},
    "even exponent": {"e": "AQAA"},
}


def beside_a_good_key(issuer: HostileIssuer, *entries: Any) -> PrivateKey:
    """Publish these and one good key, which is the first to be accepted by its own `kid`."""
    good = key_of("ES256")
    issuer.publish(document(*entries, issuer.jwk(key=good, algorithm="ES256")))
    return good


def assert_unused(issuer: HostileIssuer, token: str, *entries: Any) -> None:
    """Assert that the key of a token does not count, alone or beside a good one."""
    broker = issuer.broker
    good = beside_a_good_key(issuer, *entries)

    assert_refused(broker, broker.exchange(token), "key_not_found")
    assert "skipped" in LOG.text()
    assert broker.exchange(issuer.token(key=good, algorithm="ES256")).status_code == 200


@pytest.mark.parametrize("weakness", WEAK_KEYS)
def test_a_weak_key_does_not_count(hostile_issuers: HostileIssuers, weakness: str) -> None:
    issuer, weak = hostile_issuers.fresh(), rsa_key(*WEAK_KEYS[weakness])

    assert_unused(issuer, issuer.token(key=weak), issuer.jwk(key=weak))


@pytest.mark.parametrize("weakness", WEAK_MEMBERS)
def test_a_key_that_is_not_for_this_or_is_broken_does_not_count(
    hostile_issuers: HostileIssuers, weakness: str
) -> None:
    issuer = hostile_issuers.fresh()

    assert_unused(issuer, issuer.token(), issuer.jwk(**WEAK_MEMBERS[weakness]))


@pytest.mark.parametrize(
    "entry", [None, [], "k", 1, {}, {"kid": 1, "kty": "RSA"}, {"kid": "", "kty": "RSA"}]
)
def test_an_entry_that_is_no_key_stops_no_other(
    hostile_issuers: HostileIssuers, entry: object
) -> None:
    issuer = hostile_issuers.fresh()
    good = beside_a_good_key(issuer, entry)

    response = issuer.broker.exchange(issuer.token(key=good, algorithm="ES256"))

    assert response.status_code == 200


def test_a_published_secret_is_no_key(hostile_issuers: HostileIssuers) -> None:
    issuer = hostile_issuers.fresh()
    broker = issuer.broker
    secret = base64.urlsafe_b64encode(b"s" * 32).rstrip(b"=").decode()
    beside_a_good_key(issuer, {"kty": "oct", "kid": "k1", "k": secret, "alg": "HS256"})

    response = broker.exchange(issuer.token(header={"kid": "k1"}))

    assert_refused(broker, response, "key_not_found")


def test_two_keys_under_one_kid_both_do_not_count(hostile_issuers: HostileIssuers) -> None:
    issuer = hostile_issuers.fresh()
    broker = issuer.broker
    first, second = key_of("RS256"), key_of("RS256", "attacker")
    beside_a_good_key(issuer, issuer.jwk(key=first, kid="k1"), issuer.jwk(key=second, kid="k1"))

    for key in (first, second):
        token = issuer.token(key=key, header={"kid": "k1"})
        assert_refused(broker, broker.exchange(token), "key_not_found")


def test_a_key_without_kid_does_not_count(hostile_issuers: HostileIssuers) -> None:
    issuer = hostile_issuers.fresh()

    assert_unused(issuer, issuer.token(), issuer.jwk(kid=None))


def test_a_point_off_its_curve_does_not_count(hostile_issuers: HostileIssuers) -> None:
    issuer, key = hostile_issuers.fresh(), ec.generate_private_key(ec.SECP256R1())
    jwk = issuer.jwk(key=key, algorithm="ES256")
    off_curve = jwk | {"y": jwk["x"]}

    assert_unused(issuer, issuer.token(key=key, algorithm="ES256"), off_curve)


def test_a_curve_nobody_named_does_not_count(hostile_issuers: HostileIssuers) -> None:
    issuer, key = hostile_issuers.fresh(), ec.generate_private_key(ec.SECP256K1())
    token = issuer.token(key=key_of("ES256"), algorithm="ES256", header={"kid": "koblitz"})
    jwk = issuer.jwk(key=key, algorithm="ES256", kid="koblitz", alg="ES256K")

    assert_unused(issuer, token, jwk)


@pytest.mark.parametrize("y", SMALL_ORDER, ids=range(len(SMALL_ORDER)))
@pytest.mark.parametrize("sign", [0, 1])
def test_an_ed25519_key_of_small_order_does_not_count(
    hostile_issuers: HostileIssuers, y: int, sign: int
) -> None:
    """Under the neutral element as a key, one signature verifies for every text."""
    issuer = hostile_issuers.fresh()
    point = base64url((y | sign << 255).to_bytes(32, "little"))
    neutral = b"\x01" + b"\x00" * 31
    forged = with_signature(issuer.token(algorithm="EdDSA"), neutral + b"\x00" * 32)

    assert_unused(issuer, forged, issuer.jwk(algorithm="EdDSA", x=point))


def test_a_set_of_weak_keys_alone_is_no_key_set(hostile_issuers: HostileIssuers) -> None:
    issuer, weak = hostile_issuers.fresh(), rsa_key(1024, 65_537)
    issuer.publish(document(issuer.jwk(key=weak)))
    broker = issuer.broker

    assert_refused(broker, broker.exchange(issuer.token(key=weak)), "issuer_unavailable")
    assert "no usable key" in LOG.text()


def test_a_set_of_five_hundred_keys_is_not_taken(hostile_issuers: HostileIssuers) -> None:
    issuer = hostile_issuers.fresh()
    issuer.publish(document(*(issuer.jwk(kid=f"k{number}") for number in range(500))))
    broker = issuer.broker

    response = broker.exchange(issuer.token(header={"kid": "k7"}))

    assert_refused(broker, response, "issuer_unavailable")
