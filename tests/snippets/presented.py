"""Tokens that come to a service: a good one, and those that nearly count."""

import json
import time
from typing import Any

from broker.core.signing_keys import SigningKey
from tests.verify.publishing import base64url, signing_key, token

ALGORITHM = "RS256"


def presented(
    issuer: str,
    audience: str,
    *,
    algorithm: str = ALGORITHM,
    key: SigningKey | None = None,
    **changes: Any,
) -> str:
    """Sign a token that counts now, but for what is changed."""
    key = key or signing_key(algorithm)
    now = int(time.time())
    said = {"aud": audience, "iat": now, "nbf": now, "exp": now + 600, **changes}
    return token(key, issuer, **said)


def near_misses(
    issuer: str, audience: str, key: SigningKey | None = None, token_type: str = "at+jwt"
) -> dict[str, str]:
    """Give tokens that do not count, by what is wrong with them; `key` is the issuer's."""
    key = key or signing_key(ALGORITHM)
    now = int(time.time())

    def given(audience: str = audience, issuer: str = issuer, **changes: Any) -> str:
        header = {"typ": token_type, **changes.pop("header", {})}
        return presented(issuer, audience, **{"key": key, "header": header, **changes})

    good = given()
    head, payload, signature = good.split(".")
    other = signing_key(key.algorithm, "second")
    unsigned = json.dumps({"typ": token_type, "alg": "none"})
    return {
        "another service": given("https://store.example.com"),
        "audience with a slash more": given(audience + "/"),
        "audience without its scheme": given(audience.partition("://")[2]),
        "two audiences": given(aud=[audience, "https://store.example.com"]),
        "another issuer": given(issuer="https://other.example.com"),
        "expired": given(iat=now - 900, nbf=now - 900, exp=now - 300),
        "no end": given(without="exp"),
        "not yet valid": given(iat=now + 300, nbf=now + 300),
        "another type": given(header={"typ": "logout+jwt"}),
        "no client_id": given(without="client_id"),
        "no service token": given(token_type="id"),
        "key of another broker": given(key=other, header={"kid": key.key_id}),
        "alg none": ".".join([base64url(unsigned.encode()), payload, ""]),
        "changed signature": f"{head}.{payload}.{signature[::-1]}",
        "no token": "x",
    }
