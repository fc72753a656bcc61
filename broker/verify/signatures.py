"""Verifying signatures by the primitives alone, with all that does not change made once."""

from collections.abc import Callable
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from broker.core.issuer_keys import VerificationKey

ALGORITHMS: Final = frozenset({"RS256", "ES256", "EdDSA"})
"""What the broker signs with; each of its keys is for one of them."""

_SHA256: Final = hashes.SHA256()
_PKCS1: Final = padding.PKCS1v15()
_ECDSA: Final = ec.ECDSA(_SHA256)
_P256_BYTES: Final = 32


def verifies(key: VerificationKey, signed: bytes, signature: bytes) -> bool:
    """Tell whether a signature is the key's (RFC 7518 §3.3, §3.4, RFC 8037 §3.1)."""
    try:
        _BY_ALGORITHM[key.algorithm](key.public_key, signed, signature)
    except InvalidSignature:
        return False
    return True


def _rs256(key: Any, signed: bytes, signature: bytes) -> None:  # noqa: ANN401 - a key of its kind
    key.verify(signature, signed, _PKCS1, _SHA256)


def _es256(key: Any, signed: bytes, signature: bytes) -> None:  # noqa: ANN401
    if len(signature) != 2 * _P256_BYTES:
        raise InvalidSignature
    r, s = signature[:_P256_BYTES], signature[_P256_BYTES:]
    der = encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
    key.verify(der, signed, _ECDSA)


def _eddsa(key: Any, signed: bytes, signature: bytes) -> None:  # noqa: ANN401
    key.verify(signature, signed)


_BY_ALGORITHM: Final[dict[str, Callable[[Any, bytes, bytes], None]]] = {
    "RS256": _rs256,
    "ES256": _es256,
    "EdDSA": _eddsa,
}
