"""Two other verifiers, PyJWT and joserfc, as strict as they can be asked to be."""

import json
import time
from dataclasses import replace
from typing import Any

import jwt
from joserfc import jws
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from broker.core.policy import Replay
from tests.core.builders import BROKER, LEEWAY, github_claims
from tests.core.tokens import Door, TokenMaker, public_jwk

ALGORITHMS = ["RS256", "ES256"]
REQUIRED = ["exp", "iat", "iss", "aud", "sub"]


def present_claims() -> dict[str, Any]:
    """The claims of a token that was issued ten seconds ago by the clock that the oracles read."""
    now = int(time.time())
    return github_claims(iat=now - 10, nbf=now - 310, exp=now + 290)


def pyjwt_refuses(token: str, maker: TokenMaker, issuer: str) -> bool:
    if not token.isascii() or len(token) > 16_384 or token.count(".") != 2 or "=" in token:
        return True
    key = jwt.PyJWK(public_jwk(maker.key), "RS256")
    try:
        jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=BROKER,
            issuer=issuer,
            leeway=LEEWAY,
            options={"require": REQUIRED, "strict_aud": True},
        )
        payload = jwt.PyJWS().decode_complete(token, key, ALGORITHMS)["payload"]
        members = json.loads(payload, object_pairs_hook=_without_duplicates)
    except (jwt.PyJWTError, TypeError, ValueError):
        return True
    return type(members["exp"]) is not int


def joserfc_refuses(token: str, maker: TokenMaker, issuer: str) -> bool:
    key = RSAKey.import_key(public_jwk(maker.key))
    registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    rules = joserfc_jwt.JWTClaimsRegistry(
        now=int(time.time()),
        leeway=LEEWAY,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": BROKER},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        rules.validate(joserfc_jwt.decode(token, key, registry=registry).claims)
    except (JoseError, TypeError, ValueError):
        return True
    return False


def accepted_by_all(token: str, door: Door, maker: TokenMaker, *, listed: bool = False) -> bool:
    """Tell whether the broker accepts a token; fail when an oracle refuses what it accepts.

    `listed`: the audience is a list of one, which PyJWT refuses and the broker does not (row 50).
    """
    # The laxest issuer: a reusable token may lack its `jti`, as with the oracles.
    issuer = replace(door.issuer, replay=Replay.REUSABLE, max_token_lifetime=10**6)
    if replace(door, issuer=issuer, now=time.time()).answer_to(token) is not None:
        return False
    assert listed or not pyjwt_refuses(token, maker, issuer.url)
    assert not joserfc_refuses(token, maker, issuer.url)
    return True


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("duplicate")
    return dict(pairs)
