"""What services verify tokens with, each set up as its documentation says for one service."""

import json
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

import jwt
from authlib.oauth2.rfc6749.errors import OAuth2Error  # type: ignore[import-untyped]
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator  # type: ignore[import-untyped]
from joserfc import jwk
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError, SecurityWarning

from broker.verify import TokenError, Verifier
from tests.interop.node import HERE, run_node


@dataclass(frozen=True)
class Service:
    """Where a token is presented."""

    issuer: str
    audience: str
    algorithm: str
    token_type: str = "at+jwt"


@dataclass(frozen=True)
class Presented:
    """A token that comes to a service."""

    token: str
    service: Service
    jwks: Mapping[str, Any]


Verify = Callable[[Sequence[Presented]], list[bool]]
"""Tells of each whether it is let in."""


def each(verify: Callable[[Presented], object], *refusals: type[Exception]) -> Verify:
    """Verify one by one; all but a refusal is a fault of the test."""

    def accepted(presented: Presented) -> bool:
        try:
            verify(presented)
        except refusals:
            return False
        return True

    return lambda many: [accepted(one) for one in many]


def by_broker_verify(presented: Presented) -> None:
    service = presented.service
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "jwks.json")
        file.write_text(json.dumps(presented.jwks))
        Verifier(
            service.issuer,
            audience=service.audience,
            token_type=service.token_type,
            jwks_file=file,
        ).verify(presented.token)


def by_pyjwt(presented: Presented) -> None:
    """As docs/reference/tokens.md shows."""
    service = presented.service
    header = jwt.get_unverified_header(presented.token)
    if header.get("typ") != service.token_type:
        raise jwt.InvalidTokenError
    try:
        key = jwt.PyJWKSet.from_dict(dict(presented.jwks))[header.get("kid", "")]
    except KeyError:
        raise jwt.InvalidTokenError from None
    jwt.decode(
        presented.token,
        key,
        algorithms=[service.algorithm],
        issuer=service.issuer,
        audience=service.audience,
        options={"require": ["exp", "iat", "sub", "client_id"], "strict_aud": True},
    )


def by_joserfc(presented: Presented) -> None:
    service = presented.service
    keys = jwk.KeySet.import_key_set(cast("Any", presented.jwks))
    with warnings.catch_warnings():
        # It would rather call EdDSA by the name of RFC 9864.
        warnings.simplefilter("ignore", SecurityWarning)
        token = joserfc_jwt.decode(presented.token, keys, algorithms=[service.algorithm])
    if token.header.get("typ") != service.token_type:
        raise JoseError
    joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": service.issuer},
        aud={"essential": True, "value": service.audience},
        exp={"essential": True},
        sub={"essential": True},
        client_id={"essential": True},
    ).validate(token.claims)


def by_authlib(presented: Presented) -> None:
    """Its validator of RFC 9068, which services of `token_typ: JWT` cannot use."""

    class Validator(JWTBearerTokenValidator):  # type: ignore[misc] # without types
        def get_jwks(self) -> jwk.KeySet:
            return jwk.KeySet.import_key_set(cast("Any", presented.jwks))

    validator = Validator(presented.service.issuer, presented.service.audience)
    validator.validate_token(validator.authenticate_token(presented.token), None, None)


def by_jose(many: Sequence[Presented]) -> list[bool]:
    asked = [{"token": one.token, "jwks": one.jwks, **vars(one.service)} for one in many]
    told = run_node("jose_verify.mjs", stdin=json.dumps(asked))
    accepted: list[bool] = told["accepted"]
    return accepted


VERIFIERS: Final[dict[str, Verify]] = {
    "broker.verify": each(by_broker_verify, TokenError),
    "PyJWT": each(by_pyjwt, jwt.PyJWTError),
    "joserfc": each(by_joserfc, JoseError, ValueError),
    "Authlib": each(by_authlib, OAuth2Error, JoseError, ValueError),
    "npm jose": by_jose,
}


def versions() -> dict[str, str]:
    """Give the version of each."""
    package = HERE / "node_modules/jose/package.json"
    return {
        "broker.verify": "of this project",
        "PyJWT": version("pyjwt"),
        "joserfc": version("joserfc"),
        "Authlib": version("authlib"),
        "npm jose": str(json.loads(package.read_text())["version"]),
    }
