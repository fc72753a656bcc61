"""Key sets for `jwks_file`."""

import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec


def a_jwks() -> bytes:
    """Make a JWKS document with one key for ES256."""
    public_key = ec.generate_private_key(ec.SECP256R1()).public_key()
    key = jwt.algorithms.ECAlgorithm.to_jwk(public_key, as_dict=True)
    return json.dumps({"keys": [key | {"kid": "k1", "use": "sig", "alg": "ES256"}]}).encode()


@pytest.fixture(scope="session")
def jwks() -> bytes:
    """Give a JWKS document with one key for ES256."""
    return a_jwks()


@pytest.fixture(scope="session")
def other_jwks() -> bytes:
    """Give another one."""
    return a_jwks()
