"""One key of each kind for the whole session, and tokens signed with them."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.core.tokens import Door, TokenMaker


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@pytest.fixture(scope="session")
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def ed25519_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


@pytest.fixture(scope="session")
def signed_token(rsa_key: rsa.RSAPrivateKey) -> TokenMaker:
    """Tokens of the platform that the issuer `github` trusts."""
    return TokenMaker(rsa_key)


@pytest.fixture(scope="session")
def ec_signed_token(ec_key: ec.EllipticCurvePrivateKey) -> TokenMaker:
    return TokenMaker(ec_key, "ES256")


@pytest.fixture(scope="session")
def door(signed_token: TokenMaker) -> Door:
    """The verification of tokens that `signed_token` makes."""
    return Door(signed_token.key_set())


@pytest.fixture(scope="session")
def ec_door(door: Door, ec_signed_token: TokenMaker) -> Door:
    return replace(door, keys=ec_signed_token.key_set())
