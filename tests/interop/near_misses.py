"""Tokens that nearly count: each is a good one but for what its name says."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from broker.core.signing_keys import SigningKey
from tests.verify.publishing import AUDIENCE, base64url, signing_key, token

ISSUER: Final = "https://broker.example.com"
ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
_SAME: Final[Mapping[str, Any]] = {}


def at_now(key: SigningKey, **changes: Any) -> str:
    """Sign a token that counts now, but for what is changed."""
    now = int(time.time())
    return token(key, **{"issuer": ISSUER, "iat": now, "nbf": now, "exp": now + 600, **changes})


def near_misses(algorithm: str, token_type: str = "at+jwt", **service: Any) -> dict[str, str]:
    """Give tokens that nearly count for a service of these claims, by what is wrong with them."""
    key, other = signing_key(algorithm), signing_key(algorithm, "second")
    audience = service.get("aud", AUDIENCE)

    def given(key: SigningKey = key, header: Mapping[str, Any] = _SAME, **changes: Any) -> str:
        return at_now(key, header={"typ": token_type, **header}, **{**service, **changes})

    good = given()
    head, payload, signature = good.split(".")
    now = int(time.time())
    altered = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    altered["client_id"] = "root"
    another_type = "JWT" if token_type == "at+jwt" else "at+jwt"
    unsigned = json.dumps({"typ": token_type, "alg": "none"})
    return {
        "another service": given(aud="https://store.example.com"),
        "audience with a slash more": given(aud=audience + "/"),
        "audience in capitals": given(aud=audience.upper()),
        "no audience": given(without="aud"),
        "two audiences": given(aud=[audience, "https://store.example.com"]),
        "another issuer": given(issuer="https://other.example.com"),
        "issuer with a slash more": given(issuer=ISSUER + "/"),
        "no issuer": given(without="iss"),
        "expired": given(iat=now - 900, nbf=now - 900, exp=now - 300),
        "no end": given(without="exp"),
        "not yet valid": given(iat=now + 300, nbf=now + 300),
        f"`typ` `{another_type}`": given(header={"typ": another_type}),
        "`typ` of a logout token": given(header={"typ": "logout+jwt"}),
        "no `client_id`": given(without="client_id"),
        "key of another broker, same `kid`": given(other, header={"kid": key.key_id}),
        "unknown `kid`": given(other),
        "`alg` `none`": f"{base64url(unsigned.encode())}.{payload}.",
        "HS256 by the public key": _by_the_public_key(key, given(header={"alg": "HS256"})),
        "changed claims": f"{head}.{base64url(json.dumps(altered).encode())}.{signature}",
        "cut signature": good[:-8],
        "no signature": f"{head}.{payload}.",
    }


def _by_the_public_key(key: SigningKey, unsigned: str) -> str:
    """Sign with HMAC under what everybody knows."""
    public = key.private_key.public_key()
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, payload, _ = unsigned.split(".")
    mac = hmac.new(secret, f"{head}.{payload}".encode(), hashlib.sha256).digest()
    return f"{head}.{payload}.{base64url(mac)}"
