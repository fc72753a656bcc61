"""The subject token: one strict parse, then verification (attacks.md §0-3, RFC 7515, RFC 8725).

This is the only place where a CI token is read. `parse` proves nothing but the form; `trust` finds
the configured issuer; `verify_signature` proves who wrote it; `verify` that it counts now, here.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from broker.core.claims import (
    Claims,
    SignedClaims,
    UnverifiedClaims,
    VerifiedClaims,
    are_texts,
    is_printable_ascii,
    text_of,
    texts_of,
)
from broker.core.compact_jws import JwsRefused, decode, read_header, split
from broker.core.errors import Reason, SubjectTokenRefused
from broker.core.issuer_keys import VerificationKey
from broker.core.json_text import JsonRefused, loads_object
from broker.core.policy import Issuer, PolicySet, Replay
from broker.core.record import record
from broker.core.vocabulary import (
    MAX_LEEWAY,
    MAX_NUMERIC_DATE,
    REGISTERED_CLAIMS,
)

MAX_TOKEN_BYTES: Final = 16_384
MAX_JTI_LENGTH: Final = 255
MAX_SUB_LENGTH: Final = 1024


@record
class ParsedToken:
    """A token of clean form whose claims are not to be believed yet."""

    algorithm: str
    key_id: str
    """Empty when there is none, which only a client's own assertion may do without."""

    token_type: object
    claims: UnverifiedClaims
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def parse(token: str, *, by_client: bool = False) -> ParsedToken:
    """Take a compact JWS apart, refusing everything ambiguous.

    What a client made itself (`by_client`) may do without `kid` and `iat` (RFC 7523 §3). Raises
    `SubjectTokenRefused`: `malformed_token`, or `algorithm_not_allowed` for an algorithm that no
    issuer may use (`none`, HMAC).
    """
    try:
        text, (head, payload, end) = split(token, MAX_TOKEN_BYTES)
        header = read_header(head)
        claims = _claims(decode(payload))
        signature = decode(end)
    except JwsRefused as error:
        raise _malformed(str(error)) from None

    if header.algorithm is None:
        raise SubjectTokenRefused(
            Reason.ALGORITHM_NOT_ALLOWED, "the token's 'alg' is not an asymmetric signature"
        )
    if not signature:
        raise _malformed("it has no signature")
    if header.fault is not None:
        raise _malformed(header.fault)
    if not header.key_id and not by_client:
        raise _malformed("its header has no usable 'kid'")
    _refuse_lookalikes(claims)
    _numeric_date(claims, "exp")
    if "iat" in claims or not by_client:
        _numeric_date(claims, "iat")
    if "nbf" in claims:
        _numeric_date(claims, "nbf")
    return ParsedToken(
        algorithm=header.algorithm,
        key_id=header.key_id,
        token_type=header.token_type,
        claims=UnverifiedClaims(claims),
        signed=text[: len(head) + 1 + len(payload)],
        signature=signature,
    )


def trust(token: ParsedToken, policy_set: PolicySet) -> Issuer:
    """Find the configured issuer of a token by its exact URL, and hold the header against it.

    Raises `SubjectTokenRefused`: `issuer_not_trusted`, `issuer_disabled`, `malformed_token` for
    another `typ` than JWT, `algorithm_not_allowed`.
    """
    url = token.claims.get("iss")
    issuer = policy_set.issuer_by_url(url) if isinstance(url, str) else None
    if issuer is None:
        raise SubjectTokenRefused(
            Reason.ISSUER_NOT_TRUSTED, "the token's 'iss' is none of the trusted issuers"
        )
    if not issuer.enabled:
        raise SubjectTokenRefused(Reason.ISSUER_DISABLED, "the token's issuer is switched off")
    if token.token_type != "JWT":
        raise _malformed("its 'typ' is not JWT")
    if token.algorithm not in issuer.algorithms:
        raise SubjectTokenRefused(
            Reason.ALGORITHM_NOT_ALLOWED, "the token's issuer may not sign with its 'alg'"
        )
    return issuer


def verify_signature(token: ParsedToken, key: VerificationKey) -> SignedClaims:
    """Prove that the issuer's key signed the token.

    Raises `SubjectTokenRefused`: `algorithm_not_allowed` when the key is for another algorithm,
    `signature_invalid`.
    """
    if key.algorithm != token.algorithm:
        raise SubjectTokenRefused(
            Reason.ALGORITHM_NOT_ALLOWED, "the token's 'alg' is not the one its key is for"
        )
    if not key.verifies(token.signed, token.signature):
        raise SubjectTokenRefused(Reason.SIGNATURE_INVALID, "the token's signature does not hold")
    return SignedClaims(token.claims)


def verify(claims: SignedClaims, issuer: Issuer, now: float, leeway: int) -> VerifiedClaims:
    """Prove that an authentic token counts now and here.

    `now` is in seconds since the epoch, `leeway` in seconds and the same for every time claim.
    Raises `SubjectTokenRefused`: `token_expired`, `token_not_yet_valid`,
    `token_lifetime_too_long`, `audience_mismatch`, `claim_invalid`.
    """
    _verify_times(claims, issuer, now, leeway)
    _verify_audience(claims, issuer)
    _verify_identity(claims, issuer)
    return VerifiedClaims(claims)


def replay_expiry(claims: Claims) -> int:
    """Give the instant until which a spent `jti` must be remembered, seconds since the epoch.

    It outlives the window in which the token is accepted (attacks row 43), also by a broker that is
    started anew with the longest leeway.
    """
    return int(claims["exp"]) + MAX_LEEWAY + 60


def _claims(text: bytes) -> dict[str, Any]:
    try:
        return loads_object(text)
    except JsonRefused as error:
        if error.surrogate:
            raise SubjectTokenRefused(
                Reason.CLAIM_INVALID, "a claim holds a lone surrogate"
            ) from None
        raise _malformed(f"its payload is refused: {error}") from None


def _refuse_lookalikes(claims: Mapping[str, Any]) -> None:
    """Refuse claims that differ from a registered one by case alone (RFC 8725bis §3.10)."""
    # Without a capital in any of them, which is how platforms name their claims, there is none.
    names = "".join(claims)
    if names.casefold() == names:
        return
    for name in claims:
        if name not in REGISTERED_CLAIMS and name.casefold() in REGISTERED_CLAIMS:
            raise _malformed("a claim differs from a registered one by case alone")


def _numeric_date(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 < value < MAX_NUMERIC_DATE:
        raise _malformed(f"its '{name}' is not an integer of seconds")
    return value


def _verify_times(claims: Claims, issuer: Issuer, now: float, leeway: int) -> None:
    expires, issued = claims["exp"], claims["iat"]
    if now >= expires + leeway:
        raise SubjectTokenRefused(
            Reason.TOKEN_EXPIRED, f"the token expired {int(now - expires)} seconds ago"
        )
    starts = max(issued, claims.get("nbf", 0))
    if now < starts - leeway:
        raise SubjectTokenRefused(
            Reason.TOKEN_NOT_YET_VALID,
            f"the token is valid in {int(starts - now)} seconds; is a clock wrong?",
        )
    if expires - issued > issuer.max_token_lifetime:
        raise SubjectTokenRefused(
            Reason.TOKEN_LIFETIME_TOO_LONG,
            f"the token lives {expires - issued} seconds, issuer '{issuer.name}' may give"
            f" {issuer.max_token_lifetime} (max_token_lifetime)",
        )


def _verify_audience(claims: Claims, issuer: Issuer) -> None:
    audience = claims.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    if not isinstance(audience, str) or audience not in issuer.audiences:
        expected = " or ".join(f"'{each}'" for each in sorted(issuer.audiences))
        raise SubjectTokenRefused(
            Reason.AUDIENCE_MISMATCH, f"the token's sole audience must be {expected}"
        )


def _verify_identity(claims: Claims, issuer: Issuer) -> None:
    sub = claims.get("sub")
    if not isinstance(sub, str) or not 0 < len(sub) <= MAX_SUB_LENGTH or not sub.isprintable():
        raise _claim("sub", "a non-empty printable string")
    # Without the free text there is no less of it.
    if not (is_printable_ascii(sub) or is_printable_ascii(_without_free_text(sub, claims, issuer))):
        raise _claim("sub", "printable ASCII")
    malformed = issuer.platform.malformed_sub if issuer.platform else None
    if malformed is not None and malformed.match(sub):
        raise _claim("sub", "of the classic or of the immutable form, not half of each")
    if "jti" in claims or issuer.replay is not Replay.REUSABLE:
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI_LENGTH:
            raise _claim("jti", f"a string of 1 to {MAX_JTI_LENGTH} characters")
    required = issuer.platform.required if issuer.platform else ()
    texts = texts_of(claims, required)
    if not all(texts):
        raise _claim(
            required[[not text for text in texts].index(True)],
            "present: without it this is no CI job's token",
        )
    _verify_tenant(claims, issuer)


def _verify_tenant(claims: Claims, issuer: Issuer) -> None:
    values = tuple(map(claims.get, issuer.tenant_claims))
    # Nearly always they are texts, which together are seen to be fit at once.
    if are_texts(values) and is_printable_ascii("".join(filter(None, values))):
        return
    for name in issuer.tenant_claims:
        for value in claims[name] if isinstance(claims.get(name), list) else [claims.get(name)]:
            text = text_of(value)
            if text is not None and not is_printable_ascii(text):
                raise _claim(name, "printable ASCII")


def _without_free_text(sub: str, claims: Claims, issuer: Issuer) -> str:
    """Leave out of `sub` the branch and environment names that authors choose freely."""
    for name in issuer.platform.free_text if issuer.platform else ():
        text = claims.get(name)
        if isinstance(text, str) and text:
            sub = sub.replace(text, "").replace(text.replace(":", "%3A"), "")
    return sub


def _claim(name: str, must_be: str) -> SubjectTokenRefused:
    return SubjectTokenRefused(Reason.CLAIM_INVALID, f"claim '{name}' must be {must_be}")


def _malformed(cause: str) -> SubjectTokenRefused:
    return SubjectTokenRefused(Reason.MALFORMED_TOKEN, f"the token is malformed: {cause}")
