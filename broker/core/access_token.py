"""The service token: what a permitted exchange is answered with (RFC 9068, contract §5)."""

import binascii
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from broker.core.claims import Claims
from broker.core.decision import Permit
from broker.core.platforms import Workload
from broker.core.policy import WorkloadDetail
from broker.core.signing_keys import SigningKey

MAX_TOKEN_BYTES: Final = 4096

# Dropped whole, in this order, while a token is too large; nothing is ever cut. What a job can
# inflate goes first, so that no branch name pushes out the metadata that a service decides by.
_OPTIONAL: Final = ("workload", "act", "policy", "metadata")

# In base64url: 64 bytes, and those of the RSA-2048 keys that the broker makes.
_SHORT_SIGNATURE: Final = 86
_LONGEST_SIGNATURE: Final = {"RS256": 342}
_KEY_ID_LENGTH: Final = 43

# Built once: `json.dumps` builds an encoder per call when it is given options. Escapes would make
# metadata that is as large as it may be three times as large, and so drop it.
_json_text: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_TO_BASE64URL: Final = bytes.maketrans(b"+/", b"-_")


def claims_for(
    permit: Permit,
    *,
    issuer: str,
    now: float,
    token_id: str,
    subject: Claims | None = None,
    workload: Workload | None = None,
) -> dict[str, Any]:
    """Compose the claims of a service token.

    `issuer` is the broker's own URL; `subject` and `workload` describe the CI token of a federated
    request. Nothing else of the CI token enters, but what a template of the service names (attacks
    row 131).
    """
    issued_at = int(now)
    account = permit.service_account
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": permit.sub,
        "aud": permit.service.audience,
        "exp": issued_at + permit.ttl,
        "iat": issued_at,
        "nbf": issued_at,
        "jti": token_id,
        "client_id": account.client_id,
        "token_type": "service",
    }
    if permit.scopes:
        claims["scope"] = " ".join(permit.scopes)
    if account.organization is not None:
        claims["org_id"] = account.organization
    if account.metadata:
        claims["metadata"] = dict(account.metadata)
    if permit.claims is not None:
        # What the broker says wins, whatever a policy set holds.
        claims = {**permit.claims, **claims}
    if subject is not None:
        claims["act"] = {"iss": subject["iss"], "sub": subject["sub"]}
        claims["policy"] = " ".join(permit.policies)
    if workload is not None:
        members = _members(workload, permit.service.workload)
        if members:
            claims["workload"] = {"platform": workload.platform, **members}
    return claims


def unsigned(claims: dict[str, Any], key: SigningKey, typ: str) -> bytes:
    """Write what a key is to sign: a compact JWS without its signature, of at most 4 KB with it.

    Optional members are dropped if need be.
    """
    prefix = _header(typ, key.algorithm, key.key_id)
    text = prefix + _part(claims)
    for name in _OPTIONAL:
        if len(text) + _signature_length(key) <= MAX_TOKEN_BYTES:
            break
        claims = {member: value for member, value in claims.items() if member != name}
        text = prefix + _part(claims)
    return text


def signed(text: bytes, signature: bytes) -> str:
    """Give the token whose text was signed."""
    return (text + b"." + _base64url(signature)).decode()


def size_of(members: Mapping[str, Any], more: int, typ: str, algorithm: str) -> int:
    """Count the bytes of a token, signed, with `more` bytes among its members than these have."""
    header = _part({"typ": typ, "alg": algorithm, "kid": "x" * _KEY_ID_LENGTH})
    payload = _base64url_length(len(_json_text(members).encode()) + more)
    return len(header) + 1 + payload + 1 + _LONGEST_SIGNATURE.get(algorithm, _SHORT_SIGNATURE)


def _base64url_length(size: int) -> int:
    return (4 * size + 2) // 3


def _members(workload: Workload, detail: WorkloadDetail) -> Mapping[str, str]:
    if detail is WorkloadDetail.FULL:
        return workload.full
    return workload.ids if detail is WorkloadDetail.IDS else {}


def _signature_length(key: SigningKey) -> int:
    """Bytes that the dot and the encoded signature will add: RSA-2048 to RSA-4096, or 64 bytes."""
    modulus = key.public.get("n")
    return 1 + (len(modulus) if modulus is not None else _SHORT_SIGNATURE)


@lru_cache(maxsize=64)
def _header(typ: str, algorithm: str, key_id: str) -> bytes:
    return _part({"typ": typ, "alg": algorithm, "kid": key_id}) + b"."


def _part(members: Mapping[str, Any]) -> bytes:
    return _base64url(_json_text(members).encode())


def _base64url(value: bytes) -> bytes:
    return binascii.b2a_base64(value, newline=False).translate(_TO_BASE64URL).rstrip(b"=")
