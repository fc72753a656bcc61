"""Verifying service tokens as any service would: by the broker's public keys alone."""

from collections.abc import Mapping
from typing import Any, Final

import httpx
import jwt

from tests.running_broker import RunningBroker

DEPLOY_API: Final = "https://deploy.example.com"


def verified(
    broker: RunningBroker, response: httpx.Response, *, audience: str = DEPLOY_API
) -> Mapping[str, Any]:
    """Assert that a request was granted, and give the claims of the service token it got."""
    assert response.status_code == 200, response.text
    answer = response.json()
    claims = verified_token(broker, answer["access_token"], audience=audience)
    assert claims["jti"] == answer["token_id"]
    assert claims["client_id"] == answer["service_account"]
    assert claims.get("scope") == answer.get("scope")
    assert claims["exp"] - claims["iat"] == answer["expires_in"]
    return claims


def verified_token(
    broker: RunningBroker, token: str, *, audience: str = DEPLOY_API
) -> Mapping[str, Any]:
    """Verify a service token. Raises `jwt.PyJWTError`."""
    header = jwt.get_unverified_header(token)
    claims: Mapping[str, Any] = jwt.decode(
        token,
        _published_key(broker, header.get("kid")),
        algorithms=["RS256", "ES256"],
        issuer=broker.url,
        audience=audience,
        options={
            "require": ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id"],
            "strict_aud": True,
            # The broker's clock is held, so the times are checked below.
            "verify_exp": False,
            "verify_iat": False,
            "verify_nbf": False,
        },
    )
    assert header["typ"] == "at+jwt"
    assert claims["token_type"] == "service"
    assert claims["nbf"] == claims["iat"] <= broker.clock.now() < claims["exp"]
    return claims


def _published_key(broker: RunningBroker, key_id: object) -> jwt.PyJWK:
    document = broker.request("GET", "/.well-known/jwks.json").json()
    for key in document["keys"]:
        if key["kid"] == key_id:
            return jwt.PyJWK(key)
    raise jwt.InvalidKeyError("the broker publishes no such key")
