"""Reading service tokens that the broker itself issued (RFC 9068 §4, contract §5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.core.errors import BrokerError, SubjectTokenRefused
from broker.core.issuer_keys import VerificationKey
from broker.core.signing_keys import SigningKeySet
from broker.core.subject_token import parse


class OwnTokenRefused(BrokerError):
    """The token is none of the broker's own, or not for what it is shown for, or over."""


@dataclass(frozen=True, slots=True)
class OwnToken:
    """What a service token says."""

    token_id: str
    client_id: str
    sub: str
    """The account's id, or that of its instance."""

    audience: str
    issued_at: int
    """Whole seconds since the epoch, as the next."""

    expires_at: int
    scopes: frozenset[str]
    organization: str | None
    typ: str
    claims: Mapping[str, Any]
    """All that it says, as it was signed."""


def read(token: str, keys: SigningKeySet, issuer: str, now: float) -> OwnToken:
    """Verify a token whose issuer and audience are the broker, without any leeway.

    `now` is in seconds since the epoch. Raises `OwnTokenRefused` for everything else, tokens of
    another `typ` included (attacks row 152).
    """
    own = read_for_any(token, keys, issuer, now)
    if not own.issued_at <= now < own.expires_at:
        raise OwnTokenRefused("not valid now")
    if own.typ != "at+jwt":
        raise OwnTokenRefused("of another type than at+jwt")
    if own.audience != issuer:
        raise OwnTokenRefused("not for the broker's API")
    return own


def read_for_any(token: str, keys: SigningKeySet, issuer: str, now: float) -> OwnToken:
    """Verify that the broker issued a token, for whichever service and time.

    `now` is in seconds since the epoch, and says which keys are published. Raises
    `OwnTokenRefused` for everything else.
    """
    try:
        parsed = parse(token)
    except SubjectTokenRefused as refusal:
        raise OwnTokenRefused(refusal.description) from None
    key = _published_key(keys, parsed.key_id, now)
    if key is None or key.algorithm != parsed.algorithm:
        raise OwnTokenRefused("signed by none of the broker's keys")
    if not key.verifies(parsed.signed, parsed.signature):
        raise OwnTokenRefused("the signature does not hold")
    claims = parsed.claims
    if claims.get("token_type") != "service":
        raise OwnTokenRefused("of another type than a service token")
    if claims.get("iss") != issuer:
        raise OwnTokenRefused("not for this broker: of another issuer")
    organization = claims.get("org_id")
    return OwnToken(
        token_id=str(claims.get("jti")),
        client_id=str(claims.get("client_id")),
        sub=str(claims.get("sub")),
        audience=str(claims.get("aud")),
        issued_at=int(claims["iat"]),
        expires_at=int(claims["exp"]),
        scopes=frozenset(str(claims.get("scope", "")).split()),
        organization=None if organization is None else str(organization),
        typ=str(parsed.token_type),
        claims=claims,
    )


def _published_key(keys: SigningKeySet, key_id: str, now: float) -> VerificationKey | None:
    for key in keys.keys:
        if key.key_id == key_id and key.schedule.published(now):
            return key.verification
    return None
