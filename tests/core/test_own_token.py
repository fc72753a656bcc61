"""The broker's own tokens at its own API: what is not exactly one is refused (rows 113, 152)."""

from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from broker.core.own_token import OwnToken, OwnTokenRefused, read
from broker.core.signing_keys import SigningKey, SigningKeySet, SigningSchedule

NOW = 1_800_000_000.0
BROKER = "https://broker.example.com"
CLAIMS: dict[str, Any] = {
    "iss": BROKER,
    "sub": "admin",
    "aud": BROKER,
    "exp": int(NOW) + 600,
    "iat": int(NOW),
    "nbf": int(NOW),
    "jti": "01a20b7f-ecfe-7112-adbf-c4e51228ecec",
    "client_id": "admin",
    "scope": "broker:policies:read broker:policies:write",
    "token_type": "service",
}


@pytest.fixture(scope="module")
def own_key(ec_key: ec.EllipticCurvePrivateKey) -> SigningKey:
    return SigningKey.of(ec_key, "ES256", SigningSchedule(NOW - 60, NOW - 60))


def issued(key: SigningKey, *, header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not ...}
    members = {"typ": "at+jwt", "kid": key.key_id} | (header or {})
    return jwt.encode(claims, key.private_key, algorithm=key.algorithm, headers=members)


def test_an_own_token_says_who_may_do_what(own_key: SigningKey) -> None:
    token = issued(own_key, org_id="acme")

    assert read(token, SigningKeySet((own_key,)), BROKER, NOW) == OwnToken(
        token_id=CLAIMS["jti"],
        client_id="admin",
        scopes=frozenset({"broker:policies:read", "broker:policies:write"}),
        organization="acme",
    )


def test_a_token_without_scope_or_organization_has_none(own_key: SigningKey) -> None:
    found = read(issued(own_key, scope=...), SigningKeySet((own_key,)), BROKER, NOW)

    assert found.scopes == frozenset()
    assert found.organization is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iss": "https://other.example"}, "not for the broker's API"),
        ({"aud": "https://deploy.example.com"}, "not for the broker's API"),
        ({"aud": [BROKER]}, "not for the broker's API"),
        ({"exp": int(NOW)}, "not valid now"),
        ({"iat": int(NOW) + 1}, "not valid now"),
        ({"token_type": "other"}, "of another type"),
        ({"header": {"typ": "JWT"}}, "of another type"),
        ({"header": {"kid": "other"}}, "none of the broker's keys"),
        ({"exp": ...}, "malformed"),
    ],
)
def test_whatever_differs_is_refused(
    own_key: SigningKey, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(OwnTokenRefused, match=why):
        read(issued(own_key, **changes), SigningKeySet((own_key,)), BROKER, NOW)


def test_a_signature_by_another_key_of_the_same_name_is_refused(own_key: SigningKey) -> None:
    other = SigningKey.of(
        ec.generate_private_key(ec.SECP256R1()), "ES256", SigningSchedule(NOW, NOW)
    )
    token = issued(other, header={"kid": own_key.key_id})

    with pytest.raises(OwnTokenRefused, match="signature"):
        read(token, SigningKeySet((own_key,)), BROKER, NOW)


def test_the_key_decides_about_the_algorithm(
    own_key: SigningKey, rsa_key: rsa.RSAPrivateKey
) -> None:
    other = SigningKey.of(rsa_key, "RS256", SigningSchedule(NOW, NOW))
    token = issued(other, header={"kid": own_key.key_id})

    with pytest.raises(OwnTokenRefused, match="none of the broker's keys"):
        read(token, SigningKeySet((own_key,)), BROKER, NOW)


def test_a_key_that_was_removed_verifies_nothing(ec_key: ec.EllipticCurvePrivateKey) -> None:
    removed = SigningKey.of(ec_key, "ES256", SigningSchedule(NOW - 60, NOW - 60, NOW - 50, NOW - 1))

    with pytest.raises(OwnTokenRefused, match="none of the broker's keys"):
        read(issued(removed), SigningKeySet((removed,)), BROKER, NOW)
