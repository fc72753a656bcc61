"""JWKS documents made of real keys."""

import base64
import json
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa


@cache
def rsa_private_key() -> rsa.RSAPrivateKey:
    """One key for the whole session: making it takes long."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


def rsa_key() -> rsa.RSAPublicKey:
    return rsa_private_key().public_key()


def base64url(number: int, length: int | None = None) -> str:
    size = length or (number.bit_length() + 7) // 8
    return base64.urlsafe_b64encode(number.to_bytes(size, "big")).rstrip(b"=").decode()


def rsa_jwk(key: rsa.RSAPublicKey, key_id: str = "k1", **members: Any) -> dict[str, Any]:
    numbers = key.public_numbers()
    jwk = {"kty": "RSA", "kid": key_id, "n": base64url(numbers.n), "e": base64url(numbers.e)}
    return jwk | members


def ec_jwk(key: ec.EllipticCurvePublicKey, key_id: str = "k1", **members: Any) -> dict[str, Any]:
    numbers = key.public_numbers()
    curve = {256: "P-256", 384: "P-384", 521: "P-521"}[key.key_size]
    size = (key.key_size + 7) // 8
    coordinates = {"x": base64url(numbers.x, size), "y": base64url(numbers.y, size)}
    return {"kty": "EC", "kid": key_id, "crv": curve, **coordinates} | members


def ed25519_jwk(key: ed25519.Ed25519PublicKey, **members: Any) -> dict[str, Any]:
    x = base64url(int.from_bytes(key.public_bytes_raw(), "big"), 32)
    return {"kty": "OKP", "kid": "k1", "crv": "Ed25519", "x": x} | members


def document(*jwks: Any) -> bytes:
    return json.dumps({"keys": jwks}).encode()
