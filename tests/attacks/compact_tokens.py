"""Compact tokens taken apart and put together again, as an attacker does."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from broker.testing import github_claims
from tests.running_broker import OCTO_REPO


def octo_claims(**changes: Any) -> dict[str, Any]:
    """The claims of a push to main of octo-org/octo-repo, with these differences."""
    return github_claims(**{**OCTO_REPO, **changes})


def base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def header_of(token: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(decoded(token.split(".", maxsplit=1)[0]))
    return members


def claims_of(token: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(decoded(token.split(".")[1]))
    return members


def with_signature(token: str, signature: bytes) -> str:
    """The same header and payload under another signature."""
    return f"{token.rpartition('.')[0]}.{base64url(signature)}"


def with_claims(token: str, **changes: Any) -> str:
    """The same header and signature around a changed payload."""
    header, _, signature = token.split(".")
    payload = json.dumps(claims_of(token) | changes, separators=(",", ":")).encode()
    return f"{header}.{base64url(payload)}.{signature}"


def with_header(token: str, members: Mapping[str, Any]) -> str:
    """The same payload and signature under a changed header."""
    _, payload, signature = token.split(".")
    header = json.dumps(header_of(token) | dict(members), separators=(",", ":")).encode()
    return f"{base64url(header)}.{payload}.{signature}"
