"""The broker's own signing keys: their public form, and which of them signs when.

A key's state is a pure function of its row and `now`, so replicas agree without a leader.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from jwt.algorithms import (
    Algorithm,
    ECAlgorithm,
    OKPAlgorithm,
    RSAAlgorithm,
    get_default_algorithms,
)

from broker.core.audit import rfc3339
from broker.core.issuer_keys import VerificationKey, bound_key

SIGNING_ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")

_ALGORITHMS: Final = get_default_algorithms()
_ES256: Final = ec.ECDSA(hashes.SHA256())
_P256_BYTES: Final = 32
# RFC 7638 §3.2: the members that a thumbprint covers, and all that is ever published of a key.
_PUBLIC_MEMBERS: Final = {
    "RSA": ("e", "kty", "n"),
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class KeyState(StrEnum):
    """What a key does at one instant."""

    STANDBY = "standby"
    """It is published, so that verifiers know it before it signs."""

    SIGNING = "signing"
    RETIRED = "retired"
    """It signs no more and stays published until the last of its tokens is over."""

    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class SigningSchedule:
    """When a key is published, signs and goes; seconds since the epoch, None means not yet set."""

    publish_at: float
    sign_from: float
    sign_until: float | None = None
    remove_at: float | None = None

    def published(self, now: float) -> bool:
        """Tell whether verifiers are shown the key."""
        return self.publish_at <= now and (self.remove_at is None or now < self.remove_at)

    def signs(self, now: float) -> bool:
        """Tell whether the key may sign: never while verifiers are not shown it (row 127)."""
        return self.began(now) and self.published(now) and not self.ended(now)

    def began(self, now: float) -> bool:
        """Tell whether its time to sign has come."""
        return self.sign_from <= now

    def ended(self, now: float) -> bool:
        """Tell whether its time to sign is over."""
        return self.sign_until is not None and self.sign_until <= now

    def over(self, now: float) -> bool:
        """Tell whether nobody needs the key any longer."""
        return self.remove_at is not None and self.remove_at <= now

    def state(self, now: float) -> KeyState:
        """Tell what the key does."""
        if self.over(now):
            return KeyState.REMOVED
        if self.ended(now):
            return KeyState.RETIRED
        return KeyState.SIGNING if self.signs(now) else KeyState.STANDBY

    def times(self) -> dict[str, str | None]:
        """Give the schedule as RFC 3339 texts, for people and the audit."""
        return {
            "publish_at": rfc3339(self.publish_at),
            "sign_from": rfc3339(self.sign_from),
            "sign_until": None if self.sign_until is None else rfc3339(self.sign_until),
            "remove_at": None if self.remove_at is None else rfc3339(self.remove_at),
        }


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key pair of the broker."""

    key_id: str
    algorithm: str
    schedule: SigningSchedule
    public: dict[str, str]
    """The public JWK: `kty` and its members, `use`, `alg`, `kid`."""

    private_key: PrivateKey = field(repr=False)
    signer: Algorithm = field(repr=False)
    verification: VerificationKey = field(repr=False, compare=False)
    """The public key, ready to verify: one that was just made is slower at its first signature."""

    @classmethod
    def of(cls, private_key: PrivateKey, algorithm: str, schedule: SigningSchedule) -> "SigningKey":
        """Name a private key by its RFC 7638 thumbprint and prepare it for signing."""
        members = _public_members(private_key)
        key_id = thumbprint(members)
        public = members | {"use": "sig", "alg": algorithm, "kid": key_id}
        return cls(
            key_id,
            algorithm,
            schedule,
            public,
            private_key,
            _ALGORITHMS[algorithm],
            bound_key(key_id, algorithm, private_key.public_key()),
        )

    def sign(self, message: bytes) -> bytes:
        """Sign bytes as JWS wants it."""
        if self.algorithm != "ES256":
            return self.signer.sign(message, self.private_key)
        # RFC 7518 §3.4: both numbers at their full length. PyJWT takes longer for it.
        key = cast("ec.EllipticCurvePrivateKey", self.private_key)
        r, s = decode_dss_signature(key.sign(message, _ES256))
        return r.to_bytes(_P256_BYTES, "big") + s.to_bytes(_P256_BYTES, "big")


@dataclass(frozen=True, slots=True)
class SigningKeySet:
    """The broker's keys at one moment."""

    keys: tuple[SigningKey, ...]

    def signing_key(self, algorithm: str, now: float) -> SigningKey | None:
        """Find the key that signs now: the one that began last, the smallest id among equals."""
        usable = [
            key for key in self.keys if key.algorithm == algorithm and key.schedule.signs(now)
        ]
        return min(usable, key=lambda key: (-key.schedule.sign_from, key.key_id), default=None)

    def jwks(self, now: float) -> dict[str, list[dict[str, str]]]:
        """Give the public JWKS document (RFC 7517 §5), in an order that does not change."""
        shown = (key for key in self.keys if key.schedule.published(now))
        return {"keys": [key.public for key in sorted(shown, key=_by_id)]}

    def algorithms(self, now: float) -> list[str]:
        """List the algorithms that tokens are signed with now."""
        return _distinct(key.algorithm for key in self.keys if key.schedule.signs(now))


def thumbprint(members: dict[str, str]) -> str:
    """Give the SHA-256 thumbprint of a public JWK, base64url (RFC 7638 §3)."""
    required = {name: members[name] for name in _PUBLIC_MEMBERS[members["kty"]]}
    text = json.dumps(required, separators=(",", ":"), sort_keys=True)
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _public_members(private_key: PrivateKey) -> dict[str, str]:
    """Give only the members named in `_PUBLIC_MEMBERS`: no private one can slip through."""
    jwk: dict[str, Any]
    if isinstance(private_key, rsa.RSAPrivateKey):
        jwk = RSAAlgorithm.to_jwk(private_key.public_key(), as_dict=True)
    elif isinstance(private_key, ec.EllipticCurvePrivateKey):
        jwk = ECAlgorithm.to_jwk(private_key.public_key(), as_dict=True)
    else:
        jwk = OKPAlgorithm.to_jwk(private_key.public_key(), as_dict=True)
    return {name: str(jwk[name]) for name in _PUBLIC_MEMBERS[jwk["kty"]]}


def _by_id(key: SigningKey) -> str:
    return key.key_id


def _distinct(names: Iterable[str]) -> list[str]:
    return sorted(set(names))
