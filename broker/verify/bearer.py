"""Credentials of a request, and the answer where they are not good enough (RFC 6750)."""

import base64
import binascii
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from broker.verify.errors import (
    InsufficientScope,
    MalformedCredentials,
    NoToken,
    NotVerifiable,
    TokenError,
)

BASIC_USER: Final = "oauth2"
"""The user that clients of Basic alone (git, docker, netrc) send a token under as the password."""

# What a quoted text of a challenge may hold (RFC 6750 §3).
_NOT_QUOTABLE: Final = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")


@dataclass(frozen=True, slots=True)
class Challenge:
    """An answer to a request that is not served."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


def token_of(authorization: Sequence[str], *, basic_allowed: bool = False) -> str:
    """Give the token of a request by the values of its Authorization header.

    With `basic_allowed` a token may also come as the password of the user `oauth2`. Raises
    `NoToken` and `MalformedCredentials`.
    """
    if not authorization:
        raise NoToken("the request has no Authorization header")
    if len(authorization) > 1 or "," in authorization[0]:
        # A proxy and the service could read different ones.
        raise MalformedCredentials("send one Authorization header")
    scheme, _, credentials = authorization[0].strip(" \t").partition(" ")
    credentials = credentials.strip(" ")
    if basic_allowed and scheme.lower() == "basic":
        return _password(credentials)
    if scheme.lower() != "bearer":
        raise NoToken("the Authorization header is of another kind than Bearer")
    if not credentials or " " in credentials:
        raise MalformedCredentials("the Authorization header is unreadable")
    return credentials


def challenge(
    error: TokenError, audience: str, *, basic_allowed: bool = False, resource_metadata: str = ""
) -> Challenge:
    """Answer a request whose token does not count.

    `resource_metadata` is the URL at which the service says where its tokens come from (RFC 9728).
    """
    headers = [("content-type", "application/json"), ("cache-control", "no-store")]
    if isinstance(error, NotVerifiable):
        headers.append(("retry-after", str(error.retry_after)))
    else:
        facts = {"realm": audience}
        if error.error is not None:
            facts |= {"error": error.error, "error_description": str(error)}
        if isinstance(error, InsufficientScope):
            facts["scope"] = error.required
        if resource_metadata:
            facts["resource_metadata"] = resource_metadata
        quoted = [f'{name}="{_NOT_QUOTABLE.sub("_", fact)}"' for name, fact in facts.items()]
        headers.append(("www-authenticate", "Bearer " + ", ".join(quoted)))
        if basic_allowed:
            # A client of Basic sends nothing before it is asked.
            headers.append(("www-authenticate", 'Basic realm="' + quoted[0].split('"')[1] + '"'))
    members = {"error": error.error or "invalid_token", "error_description": str(error)}
    return Challenge(error.status, tuple(headers), json.dumps(members).encode())


def excepted(paths: Collection[str]) -> frozenset[str]:
    """Read the paths that everybody is served. Raises `ValueError` for what is no list of paths."""
    # A text is a collection as well: of its characters, "/" among them.
    if isinstance(paths, str) or not all(path.startswith("/") for path in paths):
        raise ValueError('except_paths is a list of paths, each with its slash: ["/healthz"]')
    return frozenset(paths)


def _password(encoded: str) -> str:
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise MalformedCredentials("the Basic header is no base64 of user and password") from None
    if not colon or user != BASIC_USER or not password:
        raise MalformedCredentials(
            f"of Basic only the user '{BASIC_USER}' counts, with a token as its password"
        )
    return password
