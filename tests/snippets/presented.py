"""Tokens that come to a service: a good one, and those that nearly count."""

import time
from typing import Any

from tests.verify.publishing import base64url, signing_key, token

ALGORITHM = "RS256"


def presented(issuer: str, audience: str, *, algorithm: str = ALGORITHM, **changes: Any) -> str:
    """Sign a token that counts now, but for what is changed."""
    key = signing_key(algorithm)
    now = int(time.time())
    said = {"aud": audience, "iat": now, "nbf": now, "exp": now + 600, **changes}
    return token(key, issuer, **said)


def near_misses(issuer: str, audience: str) -> dict[str, str]:
    """Give tokens that do not count, by what is wrong with them."""
    now = int(time.time())
    good = presented(issuer, audience)
    head, payload, signature = good.split(".")
    other = signing_key(ALGORITHM, "second")
    forged = {"kid": signing_key(ALGORITHM).key_id}
    return {
        "another service": presented(issuer, "https://store.example.com"),
        "audience with a slash more": presented(issuer, audience + "/"),
        "audience without its scheme": presented(issuer, audience.partition("://")[2]),
        "two audiences": presented(issuer, audience, aud=[audience, "https://store.example.com"]),
        "another issuer": presented("https://other.example.com", audience),
        "expired": presented(issuer, audience, iat=now - 900, nbf=now - 900, exp=now - 300),
        "no end": presented(issuer, audience, without="exp"),
        "not yet valid": presented(issuer, audience, iat=now + 300, nbf=now + 300),
        "another type": presented(issuer, audience, header={"typ": "logout+jwt"}),
        "no client_id": presented(issuer, audience, without="client_id"),
        "no service token": presented(issuer, audience, token_type="id"),
        "key of another broker": token(
            other, issuer, header=forged, aud=audience, iat=now, nbf=now, exp=now + 600
        ),
        "alg none": ".".join([base64url(b'{"typ":"at+jwt","alg":"none"}'), payload, ""]),
        "changed signature": f"{head}.{payload}.{signature[::-1]}",
        "no token": "x",
    }
