"""Compact JWS, right or wrong: tests need tokens that no honest library would make (RFC 7515)."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm, get_default_algorithms

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_ALGORITHMS: Final = get_default_algorithms()
_HMAC: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
_KEY_TYPES: Final = {
    "RS": rsa.RSAPrivateKey,
    "PS": rsa.RSAPrivateKey,
    "ES": ec.EllipticCurvePrivateKey,
}
_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
}
_PUBLIC_MEMBERS: Final = ("kty", "crv", "n", "e", "x", "y")


def generate_key(algorithm: str) -> PrivateKey:
    """Generate a key pair for RS*, PS* (RSA, 2048 bits), ES* or EdDSA.

    Raises `ValueError` for any other algorithm.
    """
    if algorithm[:2] in ("RS", "PS"):
        return rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm])
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    raise ValueError(f"no key pair for the algorithm {algorithm!r}")


def compact_jws(
    header: Mapping[str, Any] | bytes,
    payload: Mapping[str, Any] | bytes,
    *,
    algorithm: str,
    key: PrivateKey | bytes | None,
) -> str:
    """Sign a header and a payload with `algorithm`, whatever the header itself says.

    Bytes are taken as they are, valid JSON or not. `algorithm` may also be `none` (no signature;
    `key` is not used) or HS* (`key` is then bytes: the secret). Raises `ValueError` when the key
    is not for the algorithm.
    """
    signed = _part(header) + b"." + _part(payload)
    return (signed + b"." + _base64url(_signature(signed, algorithm, key))).decode()


def public_jwk(key: PrivateKey, algorithm: str, key_id: str) -> dict[str, str]:
    """Give the public JWK of a key: its public members, `use`, `alg` and `kid` (RFC 7517 §4)."""
    members: dict[str, Any]
    if isinstance(key, rsa.RSAPrivateKey):
        members = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        members = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        members = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    public = {name: str(members[name]) for name in _PUBLIC_MEMBERS if name in members}
    return public | {"use": "sig", "alg": algorithm, "kid": key_id}


def public_pem(key: PrivateKey) -> bytes:
    """Give the public key as PEM (SubjectPublicKeyInfo)."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_id_of(key: PrivateKey) -> str:
    """Name a key by its public half, as a UUID like GitHub's key ids."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return str(uuid.UUID(bytes=hashlib.sha256(der).digest()[:16], version=5))


def _signature(signed: bytes, algorithm: str, key: PrivateKey | bytes | None) -> bytes:
    if algorithm == "none":
        return b""
    if algorithm in _HMAC:
        if not isinstance(key, bytes):
            raise ValueError(f"{algorithm} is keyed with bytes")
        # Not through PyJWT, which refuses a public key as an HMAC secret: that is the attack.
        return hmac.digest(key, signed, _HMAC[algorithm])
    if key is None or isinstance(key, bytes):
        raise ValueError(f"{algorithm} needs a private key")
    fits = isinstance(key, _KEY_TYPES.get(algorithm[:2], ed25519.Ed25519PrivateKey))
    if not fits:
        raise ValueError(f"{algorithm} does not sign with a {type(key).__name__}")
    signature: bytes = _ALGORITHMS[algorithm].sign(signed, key)
    return signature


def _part(value: Mapping[str, Any] | bytes) -> bytes:
    if isinstance(value, bytes):
        return _base64url(value)
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")
