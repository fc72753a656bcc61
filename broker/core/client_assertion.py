"""Client assertions that a client made itself (`private_key_jwt`, RFC 7521 §4.2, RFC 7523 §3).

A client shows by one that it holds a key that was registered for it. CI tokens come in the same
parameter; those have an issuer of their own, and are decided by policies.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import cache, lru_cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from broker.core.errors import Reason, RequestRefused, SubjectTokenRefused
from broker.core.issuer_keys import (
    IssuerKeySet,
    KeysRefused,
    VerificationKey,
    bound_key,
    read_jwks,
)
from broker.core.record import record
from broker.core.subject_token import MAX_JTI_LENGTH, ParsedToken, parse
from broker.core.vocabulary import ASYMMETRIC_ALGORITHMS, MAX_LEEWAY

MAX_LIFE: Final = 300
"""Seconds that an assertion may count from now on (CA-24)."""

MAX_SKEW: Final = 60
"""Seconds by which the client's clock may differ."""

_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
}
_TYPES: Final = ("JWT", "client-authentication+jwt")


@record
class ClientAssertion:
    """An assertion of sound form, for this broker and this moment; who made it is not proved."""

    client_id: str
    token_id: str
    """Its `jti`: one assertion authenticates once."""

    remembered_until: int
    """Until when its `jti` must be remembered, seconds since the epoch."""

    issued_at: int
    """When it was made, seconds since the epoch; the earliest moment if it does not say."""

    key_id: str
    """Empty when it names no key."""

    _token: ParsedToken = field(repr=False)

    def signed_by(self, keys: Iterable[VerificationKey]) -> VerificationKey | None:
        """Find the key among some that made it."""
        token = self._token
        for key in keys:
            if key.algorithm == token.algorithm and key.verifies(token.signed, token.signature):
                return key
        return None

    def verify_in_vain(self) -> None:
        """Take the time of a verification where there is no key (CA-11, attacks row 122)."""
        self.signed_by((_decoy(self._token.algorithm),))


def made_by_client(text: str) -> ParsedToken | None:
    """Take apart what says that a client made it; None for all else, as CI tokens are.

    The id of an account is no URL, and an issuer is nothing else.
    """
    try:
        token = parse(text, by_client=True)
    except SubjectTokenRefused:
        return None
    issuer = token.claims.get("iss")
    own = isinstance(issuer, str) and "://" not in issuer and token.claims.get("sub") == issuer
    return token if own else None


def read(token: ParsedToken, client_id: str | None, issuer: str, now: float) -> ClientAssertion:
    """Check all that can be known of an assertion without its client.

    `client_id` is what the request says beside it, `issuer` the broker's own URL. Raises
    `RequestRefused` (`client_unknown_or_bad_secret`); what it says depends on the assertion alone,
    so that it tells nothing of any client.
    """
    claims = token.claims
    own_id = str(claims["iss"])
    if client_id not in (None, own_id):
        raise _refused("is of another client than 'client_id'")
    if token.token_type not in _TYPES:
        raise _refused("has a 'typ' that is neither JWT nor client-authentication+jwt")
    audience = claims.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    if audience != issuer:
        # The token endpoint's URL, as RFC 7523 had it, would do for another server as well.
        raise _refused(f"must have the sole audience {issuer}")
    _check_times(claims, now)
    token_id = claims.get("jti")
    if not isinstance(token_id, str) or not 0 < len(token_id) <= MAX_JTI_LENGTH:
        raise _refused(f"needs a 'jti' of 1 to {MAX_JTI_LENGTH} characters")
    until = int(claims["exp"]) + MAX_LEEWAY + MAX_SKEW
    # Without `iat`: since when it has been good, for it may live no longer.
    issued_at = int(claims.get("iat", claims["exp"] - MAX_LIFE))
    return ClientAssertion(own_id, token_id, until, issued_at, token.key_id, token)


def registered_keys(jwks: Mapping[str, Any], key_id: str) -> tuple[VerificationKey, ...]:
    """Give the keys of a registered JWKS that an assertion may be signed with.

    All of them for one that names no key.
    """
    keys = _key_set(json.dumps(jwks)).keys
    if not key_id:
        return tuple(keys.values())
    return (keys[key_id],) if key_id in keys else ()


@cache
def _decoy(algorithm: str) -> VerificationKey:
    """Give a key of an algorithm's kind that is nobody's: what it verifies counts for nothing."""
    public_key: object
    if algorithm in _CURVES:
        public_key = ec.derive_private_key(1, _CURVES[algorithm]).public_key()
    elif algorithm in ("EdDSA", "Ed25519"):
        public_key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    else:
        public_key = rsa.RSAPublicNumbers(65_537, 2**2048 - 1).public_key()
    return bound_key("", algorithm, public_key)


@lru_cache(maxsize=512)
def _key_set(document: str) -> IssuerKeySet:
    try:
        return read_jwks(document.encode(), ASYMMETRIC_ALGORITHMS)
    except KeysRefused:
        # A rule that came after the keys were registered: they count no longer.
        return IssuerKeySet({}, ())


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    if now >= claims["exp"] + MAX_SKEW:
        raise _refused("has expired")
    if claims["exp"] - now > MAX_LIFE:
        raise _refused(f"may live {MAX_LIFE} seconds at most, counted from now")
    if max(claims.get("iat", 0), claims.get("nbf", 0)) > now + MAX_SKEW:
        raise _refused("is not valid yet; is a clock wrong?")


def _refused(what: str) -> RequestRefused:
    return RequestRefused(Reason.CLIENT_UNKNOWN_OR_BAD_SECRET, f"the client assertion {what}")
