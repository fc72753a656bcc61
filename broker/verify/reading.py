"""Reading a service token: strictly, and believing nothing before its signature holds.

RFC 7515 §5.2, RFC 7519 §7.2, RFC 8725 §3, RFC 9068 §4.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from broker.core.compact_jws import Header, JwsRefused, decode, parts_of, read_header
from broker.core.issuer_keys import VerificationKey
from broker.core.record import record
from broker.core.vocabulary import MAX_NUMERIC_DATE
from broker.verify.errors import Reason, TokenRefused
from broker.verify.signatures import ALGORITHMS, verifies
from broker.verify.verified_token import VerifiedToken

MAX_TOKEN_BYTES: Final = 4096
"""The broker issues none that is longer."""

_DECODER: Final = json.JSONDecoder()
# Texts without which nobody could say who calls, or which token it was.
_TEXTS: Final = ("sub", "client_id", "jti")
_INSTANTS: Final = ("exp", "iat", "nbf")


@record
class Expected:
    """What a token must say to count here."""

    issuer: str
    audience: str
    token_type: str
    leeway: float
    """Seconds by which clocks may differ."""


def ascii_of(token: str) -> bytes:
    """Give the bytes of a token. Raises `TokenRefused` for what has none in ASCII."""
    try:
        return token.encode("ascii")
    except UnicodeEncodeError:
        raise _malformed("it has characters outside base64url") from None
    except AttributeError:
        # A service that hands on a header that is not there: its caller has to hear 401, not 500.
        raise _malformed("it is no text") from None


def key_id_of(token: bytes, expected: Expected) -> str:
    """Give the `kid` that a token names. Raises `TokenRefused` for a header that cannot count."""
    try:
        head, _, _ = parts_of(token, MAX_TOKEN_BYTES)
        header = read_header(head)
    except JwsRefused as error:
        raise _malformed(error) from None
    _require_clean(header, expected)
    return header.key_id


def read(
    token: bytes, key_of: Callable[[str], VerificationKey], expected: Expected, now: float
) -> VerifiedToken:
    """Give what a token says, if it counts here at `now` (seconds since the epoch).

    Raises `TokenRefused`, and what `key_of` raises for a `kid`.
    """
    # 1 the form: three canonical parts, and a header that chooses nothing but a key
    try:
        head, payload, end = parts_of(token, MAX_TOKEN_BYTES)
        header = read_header(head)
        signature = decode(end)
    except JwsRefused as error:
        raise _malformed(error) from None
    _require_clean(header, expected)
    # 2 the signature, by the one key and the one algorithm that the key is for
    key = key_of(header.key_id)
    if key.algorithm != header.algorithm or key.algorithm not in ALGORITHMS:
        raise TokenRefused(
            Reason.ALGORITHM_NOT_ALLOWED, "the token's 'alg' is not the one that its key is for"
        )
    if not verifies(key, token[: len(head) + 1 + len(payload)], signature):
        raise TokenRefused(Reason.SIGNATURE_INVALID, "the token's signature does not hold")
    # 3 what it says
    claims = _claims(payload)
    # 4 for whom, and when: why not is looked for only where it does not count
    refusal = None if _counts(claims, expected, now) else _refusal(claims, expected, now)
    if refusal is not None:
        raise refusal
    return VerifiedToken(claims, frozenset(claims.get("scope", "").split()), claims["exp"])


def _claims(payload: bytes) -> dict[str, Any]:
    """Read what was signed: the broker's own encoder wrote it, which repeats no name."""
    try:
        text = decode(payload).decode()
        claims, end = _DECODER.raw_decode(text)
    except JwsRefused as error:
        raise _malformed(error) from None
    except (ValueError, RecursionError):
        raise _malformed("its payload is not JSON") from None
    if end != len(text) or not isinstance(claims, dict):
        raise _malformed("its payload is not a JSON object")
    return claims


def _counts(claims: Mapping[str, Any], expected: Expected, now: float) -> bool:
    """Tell whether `_refusal` would find nothing, as nearly always; False where that is unclear."""
    get = claims.get
    expires_at, issued_at, starts_at = get("exp"), get("iat"), get("nbf")
    subject, client_id, token_id = get("sub"), get("client_id"), get("jti")
    latest = now + expected.leeway
    return (
        get("iss") == expected.issuer
        and get("aud") == expected.audience
        and get("token_type") == "service"
        and type(expires_at) is type(issued_at) is type(starts_at) is int
        and now - expected.leeway < expires_at < MAX_NUMERIC_DATE
        and 0 < issued_at <= latest
        and 0 < starts_at <= latest
        and type(subject) is type(client_id) is type(token_id) is type(get("scope", "")) is str
        and "" not in (subject, client_id, token_id)
    )


def _refusal(claims: Mapping[str, Any], expected: Expected, now: float) -> TokenRefused | None:
    if claims.get("iss") != expected.issuer:
        return TokenRefused(Reason.ISSUER_MISMATCH, f"the token is not of {expected.issuer}")
    if claims.get("aud") != expected.audience:
        return TokenRefused(
            Reason.AUDIENCE_MISMATCH, f"the token is for another service than {expected.audience}"
        )
    if claims.get("token_type") != "service":
        return TokenRefused(Reason.WRONG_TYPE, "the token is no service token")
    for name in _INSTANTS:
        value = claims.get(name)
        if type(value) is not int or not 0 < value < MAX_NUMERIC_DATE:
            return _invalid(name)
    for name in _TEXTS:
        if not isinstance(claims.get(name), str) or not claims[name]:
            return _invalid(name)
    if not isinstance(claims.get("scope", ""), str):
        return _invalid("scope")
    if now >= claims["exp"] + expected.leeway:
        return TokenRefused(
            Reason.TOKEN_EXPIRED, f"the token expired {int(now - claims['exp'])} seconds ago"
        )
    starts = max(claims["iat"], claims["nbf"])
    if now < starts - expected.leeway:
        return TokenRefused(
            Reason.TOKEN_NOT_YET_VALID,
            f"the token is valid in {int(starts - now)} seconds; is a clock wrong?",
        )
    return None


def _require_clean(header: Header, expected: Expected) -> None:
    if header.algorithm is None:
        raise TokenRefused(
            Reason.ALGORITHM_NOT_ALLOWED, "the token's 'alg' is not an asymmetric signature"
        )
    if header.fault is not None:
        raise _malformed(header.fault)
    if not header.key_id:
        raise _malformed("its header has no usable 'kid'")
    if header.token_type != expected.token_type:
        raise TokenRefused(
            Reason.WRONG_TYPE, f"the token's 'typ' is not {expected.token_type}: of another kind"
        )


def _invalid(name: str) -> TokenRefused:
    return TokenRefused(Reason.CLAIM_INVALID, f"the token's '{name}' is missing or of no use")


def _malformed(cause: object) -> TokenRefused:
    return TokenRefused(Reason.MALFORMED_TOKEN, f"the token is malformed: {cause}")
