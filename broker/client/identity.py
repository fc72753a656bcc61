"""Who a job is: where its ID tokens come from."""

import base64
import hashlib
import json
import re
from typing import Any, Final, Protocol


class Identity(Protocol):
    """Something that gives ID tokens for this job."""

    @property
    def name(self) -> str:
        """Say what people call the platform: `GitHub Actions`."""
        ...

    @property
    def renewable(self) -> bool:
        """Tell whether each `fetch` gives another token; else it is the same until it is over."""
        ...

    def fetch(self, audience: str) -> str:
        """Get an ID token for an audience.

        Raises `NoIdentity`, `IdentityExpired`, `BrokerTrouble` and `TryAgain`.
        """
        ...

    def fingerprint(self) -> str:
        """Tell one job's identity from any other's, without asking anybody."""
        ...

    def wants_audience(self) -> bool:
        """Tell whether `fetch` depends on the audience."""
        ...


_JWT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def is_jwt(value: object) -> bool:
    """Tell whether something has the form of a signed JWT (RFC 7515 §3.1)."""
    return isinstance(value, str) and _JWT.fullmatch(value) is not None


def digest(*parts: str) -> str:
    """Make a fingerprint of some texts, from which none of them can be had back."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def unverified_claims(token: str) -> dict[str, Any]:
    """Read what a token claims, believing nothing of it; empty for what is no JWT.

    For messages and for the time at which it is over: the broker is who verifies.
    """
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
