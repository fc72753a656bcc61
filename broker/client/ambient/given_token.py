"""An ID token that somebody put into a variable or a file: GitLab, Kubernetes, or by hand."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from broker.client.errors import IdentityExpired, NoIdentity
from broker.client.identity import is_jwt, unverified_claims
from broker.client.token_files import digest, token_fingerprint

_LARGEST: Final = 64 * 1024
_SKEW: Final = 300
"""Seconds by which this machine's clock may be ahead: the broker's decides, not ours."""

_CHANGING: Final = frozenset({"exp", "iat", "nbf", "jti"})


@dataclass(frozen=True, slots=True)
class TokenInVariable:
    """An ID token that is there once and is not renewed; `variable` is where it was found."""

    name: str
    variable: str
    token: str = field(repr=False)
    advice: str = ""
    """What helps when it is over."""

    clock: Callable[[], float] = time.time
    renewable: bool = field(default=False, init=False)

    def fetch(self, audience: str) -> str:  # noqa: ARG002 - whoever made it chose its audience
        """Give the token. Raises `NoIdentity` and `IdentityExpired`."""
        return checked(self.token.strip(), self.variable, self.advice, self.clock())

    def fingerprint(self) -> str:
        """Tell it from any other token."""
        return token_fingerprint(self.token.strip())

    def wants_audience(self) -> bool:
        """It has its audience already."""
        return False


@dataclass(frozen=True, slots=True)
class TokenInFile:
    """An ID token in a file that somebody keeps fresh, as Kubernetes does; read anew each time."""

    name: str
    path: Path
    advice: str = ""
    clock: Callable[[], float] = time.time
    renewable: bool = field(default=False, init=False)

    def fetch(self, audience: str) -> str:  # noqa: ARG002 - whoever made it chose its audience
        """Read the token. Raises `NoIdentity` and `IdentityExpired`."""
        try:
            with self.path.open("rb") as file:
                content = file.read(_LARGEST + 1)
        except OSError as error:
            raise NoIdentity(f"{self.path} cannot be read: {error.strerror}") from None
        text = content.decode(errors="replace").strip()
        return checked(text, str(self.path), self.advice, self.clock())

    def fingerprint(self) -> str:
        """Tell whose token it is, whenever it was made.

        By all that it claims of the job: jobs of one project may have the same `sub`.
        """
        try:
            claims = unverified_claims(self.path.read_text(errors="replace").strip())
        except OSError:
            claims = {}
        lasting = {name: value for name, value in claims.items() if name not in _CHANGING}
        return digest("file", str(self.path), json.dumps(lasting, sort_keys=True))

    def wants_audience(self) -> bool:
        """It has its audience already."""
        return False


def checked(token: str, place: str, advice: str, now: float) -> str:
    """Give a token that looks like one and is not over; `now` in seconds since the epoch.

    Raises `NoIdentity` and `IdentityExpired`.
    """
    if not token:
        raise NoIdentity(f"{place} is empty: there should be an ID token. {advice}".rstrip())
    claims = unverified_claims(token)
    if not is_jwt(token) or not claims:
        raise NoIdentity(f"what {place} holds is no ID token: it is not a JWT")
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires <= now - _SKEW:
        ago = f"{int(now - expires)} seconds ago" if expires > 0 else "long ago"
        raise IdentityExpired(
            f"the ID token in {place} was over {ago}, and there will be no other. {advice}".rstrip()
        )
    return token
