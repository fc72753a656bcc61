"""Signed heads: where the chain of audit events ended at a time, for keeping elsewhere (row 184).

A head is a JWS (RFC 7515, compact) by an Ed25519 key that is there for this alone. The beginning of
a pruned chain is signed in the same way under another `typ`, so that no head can pass for it.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from broker.core.audit import rfc3339
from broker.core.audit_chain import Head, Position
from broker.core.signing_keys import SigningKey, SigningSchedule, thumbprint

ALGORITHM: Final = "EdDSA"
LINE_TYPE: Final = "audit.head"
MAX_LINE_BYTES: Final = 4096

_ALWAYS: Final = SigningSchedule(0, 0)


class HeadTyp(StrEnum):
    """What is signed: the `typ` of the JWS."""

    HEAD = "audit-head+jwt"
    BEGINNING = "audit-beginning+jwt"


class HeadRefused(ValueError):
    """What claims to be signed is not, or not by this key; the message says why."""


@dataclass(frozen=True, slots=True)
class HeadVerifier:
    """The public key of the heads."""

    jwk: Mapping[str, str]
    """`kty`, `crv`, `x`, `use`, `alg` and `kid` (RFC 7638)."""

    key: Ed25519PublicKey

    @classmethod
    def of_jwk(cls, jwk: object) -> "HeadVerifier":
        """Read a public JWK (RFC 8037). Raises `HeadRefused`."""
        if not isinstance(jwk, dict) or jwk.get("crv") != "Ed25519" or jwk.get("kty") != "OKP":
            raise HeadRefused("it is not the JWK of an Ed25519 key")
        try:
            raw = _decoded(jwk["x"])
            key = Ed25519PublicKey.from_public_bytes(raw)
        except (KeyError, ValueError):
            raise HeadRefused("the JWK has no usable `x`") from None
        members = {"crv": "Ed25519", "kty": "OKP", "x": _encoded(raw)}
        key_id = thumbprint(members)
        return cls(members | {"use": "sig", "alg": ALGORITHM, "kid": key_id}, key)

    @property
    def key_id(self) -> str:
        """The RFC 7638 thumbprint of the key."""
        return self.jwk["kid"]

    def read(self, jws: object, typ: HeadTyp) -> Head:
        """Verify what was signed. Raises `HeadRefused`."""
        if not isinstance(jws, str) or len(jws) > MAX_LINE_BYTES or jws.count(".") != 2:  # noqa: PLR2004 — RFC 7515 §7.1
            raise HeadRefused("it is not signed")
        signed, _, signature = jws.rpartition(".")
        header, _, payload = signed.partition(".")
        try:
            stated = _object(header)
            if stated != {"alg": ALGORITHM, "kid": self.key_id, "typ": typ.value}:
                raise HeadRefused(
                    "it was signed by another key"
                    if stated.get("kid") != self.key_id
                    else f"it is no {typ.value}"
                )
            self.key.verify(_decoded(signature), signed.encode())
            members = _object(payload)
            return Head(Position(members["seq"], members["hash"]), members["time"])
        except InvalidSignature:
            raise HeadRefused("its signature does not hold") from None
        except (KeyError, ValueError) as error:
            if isinstance(error, HeadRefused):
                raise
            raise HeadRefused("it is not a signed head") from None


@dataclass(frozen=True, slots=True)
class HeadKey:
    """The key that signs heads and beginnings."""

    _key: SigningKey

    @classmethod
    def of_seed(cls, seed: bytes) -> "HeadKey":
        """Make the key of 32 secret bytes (RFC 8032 §5.1.5). Raises `ValueError`."""
        private_key = Ed25519PrivateKey.from_private_bytes(seed)
        return cls(SigningKey.of(private_key, ALGORITHM, _ALWAYS))

    def verifier(self) -> HeadVerifier:
        """Give the public key."""
        return HeadVerifier.of_jwk(self._key.public)

    def sign(self, position: Position, now: float, typ: HeadTyp) -> str:
        """Sign a place in the chain; `now` is in seconds since the epoch."""
        header = {"alg": ALGORITHM, "kid": self._key.key_id, "typ": typ.value}
        payload = {"seq": position.sequence, "hash": position.hash, "time": rfc3339(now)}
        signed = f"{_segment(header)}.{_segment(payload)}"
        return f"{signed}.{_encoded(self._key.sign(signed.encode()))}"

    def head(self, position: Position, now: float) -> "SignedHead":
        """Sign the head of the chain; `now` is in seconds since the epoch."""
        return SignedHead(position, rfc3339(now), self.sign(position, now, HeadTyp.HEAD))


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head as it is printed: what it says in plain, and the same signed."""

    position: Position
    time: str
    jws: str

    @property
    def sequence(self) -> int:
        """The number of the event that it names."""
        return self.position.sequence

    def members(self) -> dict[str, Any]:
        """Give the head as JSON members."""
        return {
            "type": LINE_TYPE,
            "seq": self.position.sequence,
            "hash": self.position.hash,
            "time": self.time,
            "jws": self.jws,
        }

    def line(self) -> str:
        """Give the head as one line of JSON."""
        return json.dumps(self.members(), separators=(",", ":"))


def is_head_line(line: bytes) -> bool:
    """Tell a line that says it is a head from events, logs and all else."""
    return b'"audit.head"' in line and _stated_head(line) is not None


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that says it is a head and is not believed; `number` counts from 1."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The heads that somebody kept."""

    heads: tuple[Head, ...]
    refused: tuple[RefusedLine, ...]


def read_checkpoint(lines: Iterable[bytes], verifier: HeadVerifier) -> Checkpoint:
    """Read the heads among lines; other lines, such as events, are passed over.

    What counts is what was signed; a line that says something else beside it is refused.
    """
    heads: dict[str, Head] = {}
    refused: list[RefusedLine] = []
    for number, line in enumerate(lines, start=1):
        # Most lines of a broker's output are events; they are not read as JSON here.
        stated = _stated_head(line) if b'"audit.head"' in line else None
        if stated is None:
            continue
        try:
            head = verifier.read(stated.get("jws"), HeadTyp.HEAD)
        except HeadRefused as error:
            refused.append(RefusedLine(number, str(error)))
            continue
        position = head.position
        plain = (stated.get("seq"), stated.get("hash"), stated.get("time"))
        if plain != (position.sequence, position.hash, head.time):
            refused.append(RefusedLine(number, "it says something else than what was signed"))
            continue
        heads[stated["jws"]] = head
    return Checkpoint(tuple(heads.values()), tuple(refused))


def _stated_head(line: bytes) -> dict[str, Any] | None:
    try:
        members = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_head = isinstance(members, dict) and members.get("type") == LINE_TYPE
    return members if is_head else None


def _object(segment: str) -> dict[str, Any]:
    members = json.loads(_decoded(segment))
    if not isinstance(members, dict):
        raise HeadRefused("it is not a signed head")
    return members


def _segment(members: Mapping[str, Any]) -> str:
    return _encoded(json.dumps(members, separators=(",", ":")).encode())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """Decode base64url without padding (RFC 7515 §2). Raises `ValueError`."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from None
