"""Reading a service token: strictly, and believing nothing before its signature holds.

RFC 7515 §5.2, RFC 7519 §7.2, RFC 8725 §3, RFC 9068 §4.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from broker.core.compact_jws import Header, JwsRefused, decode, read_header, split
from broker.core.issuer_keys import VerificationKey
from broker.core.record import record
from broker.core.vocabulary import MAX_NUMERIC_DATE
from broker.verify.errors import Refusal, TokenRefused
from broker.verify.signatures import ALGORITHMS, verifies
from broker.verify.verified_token import VerifiedToken

MAX_TOKEN_BYTES: Final = 4096
"""The broker issues none that is longer."""

_DECODER: Final = json.JSONDecoder()
# Texts without which nobody could say who calls, or which token it was.
_TEXTS: Final = ("sub", "client_id", "jti")


@record
class Expected:
    """What a token must say to count here."""

    issuer: str
    audience: str
    token_type: str
    leeway: float
    """Seconds by which clocks may differ."""


def key_id_of(token: str) -> str:
    """Give the `kid` that a token names. Raises `TokenRefused` for what has no clean header."""
    try:
        _, (head, _, _) = split(token, MAX_TOKEN_BYTES)
        return _clean(read_header(head)).key_id
    except JwsRefused as error:
        raise _malformed(error) from None


def read(
    token: str, key_of: Callable[[str], VerificationKey], expected: Expected, now: float
) -> VerifiedToken:
    """Give what a token says, if it counts here at `now` (seconds since the epoch).

    Raises `TokenRefused`, and what `key_of` raises for a `kid`.
    """
    # 1 the form: three canonical parts, and a header that chooses nothing but a key
    try:
        text, (head, payload, end) = split(token, MAX_TOKEN_BYTES)
        header = _clean(read_header(head))
        signature = decode(end)
    except JwsRefused as error:
        raise _malformed(error) from None
    if header.token_type != expected.token_type:
        raise TokenRefused(
            Refusal.WRONG_TYPE, f"the token's 'typ' is not {expected.token_type}: of another kind"
        )
    # 2 the signature, by the one key and the one algorithm that the key is for
    key = key_of(header.key_id)
    if key.algorithm != header.algorithm or key.algorithm not in ALGORITHMS:
        raise TokenRefused(
            Refusal.ALGORITHM_NOT_ALLOWED, "the token's 'alg' is not the one that its key is for"
        )
    if not verifies(key, text[: len(head) + 1 + len(payload)], signature):
        raise TokenRefused(Refusal.SIGNATURE_INVALID, "the token's signature does not hold")
    # 3 what it says
    claims = _claims(payload)
    # 4 for whom, and when
    return _counting(claims, expected, now)


def _claims(payload: bytes) -> Mapping[str, Any]:
    """Read what was signed: the broker's own encoder wrote it, which repeats no name."""
    try:
        claims = _DECODER.decode(decode(payload).decode())
    except JwsRefused as error:
        raise _malformed(error) from None
    except (ValueError, RecursionError):
        raise _malformed("its payload is not JSON") from None
    if not isinstance(claims, dict):
        raise _malformed("its payload is not a JSON object")
    return claims


def _counting(claims: Mapping[str, Any], expected: Expected, now: float) -> VerifiedToken:
    if claims.get("iss") != expected.issuer:
        raise TokenRefused(Refusal.ISSUER_MISMATCH, f"the token is not of {expected.issuer}")
    if claims.get("aud") != expected.audience:
        raise TokenRefused(
            Refusal.AUDIENCE_MISMATCH, f"the token is for another service than {expected.audience}"
        )
    if claims.get("token_type") != "service":
        raise TokenRefused(Refusal.WRONG_TYPE, "the token is no service token")
    expires_at = _instant(claims, "exp")
    if now >= expires_at + expected.leeway:
        raise TokenRefused(
            Refusal.TOKEN_EXPIRED, f"the token expired {int(now - expires_at)} seconds ago"
        )
    starts = max(_instant(claims, "iat"), _instant(claims, "nbf"))
    if now < starts - expected.leeway:
        raise TokenRefused(
            Refusal.TOKEN_NOT_YET_VALID,
            f"the token is valid in {int(starts - now)} seconds; is a clock wrong?",
        )
    for name in _TEXTS:
        text = claims.get(name)
        if not isinstance(text, str) or not text:
            raise _invalid(name)
    scope = claims.get("scope", "")
    if not isinstance(scope, str):
        raise _invalid("scope")
    return VerifiedToken(claims, frozenset(scope.split()), expires_at)


def _clean(header: Header) -> Header:
    if header.algorithm is None:
        raise TokenRefused(
            Refusal.ALGORITHM_NOT_ALLOWED, "the token's 'alg' is not an asymmetric signature"
        )
    if header.fault is not None:
        raise JwsRefused(header.fault)
    if not header.key_id:
        raise JwsRefused("its header has no usable 'kid'")
    return header


def _instant(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 < value < MAX_NUMERIC_DATE:
        raise _invalid(name)
    return value


def _invalid(name: str) -> TokenRefused:
    return TokenRefused(Refusal.CLAIM_INVALID, f"the token's '{name}' is missing or of no use")


def _malformed(cause: object) -> TokenRefused:
    return TokenRefused(Refusal.MALFORMED_TOKEN, f"the token is malformed: {cause}")
