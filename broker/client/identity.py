"""Who a job is: where its ID tokens come from."""

import base64
import json
import re
from typing import Any, Final, Protocol

from broker.core.printable import printable


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


_TOLD: Final = (
    "iss", "aud", "sub", "repository", "repository_id", "project_path", "project_id", "ref",
    "ref_type", "ref_protected", "environment", "event_name", "pipeline_source",
    "job_workflow_ref", "workflow_ref", "job_project_path", "runner_environment",
)  # fmt: skip
"""What policies usually ask about; nothing of it names a person."""

_LONGEST_SHOWN: Final = 200

_JWT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def is_jwt(value: object) -> bool:
    """Tell whether something has the form of a signed JWT (RFC 7515 §3.1)."""
    return isinstance(value, str) and _JWT.fullmatch(value) is not None


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


def job_claims(token: str) -> dict[str, str]:
    """Choose what a token claims of the job, for people to compare with the policies."""
    claims = unverified_claims(token)
    return {name: _shown(claims[name]) for name in _TOLD if name in claims}


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return printable(text[:_LONGEST_SHOWN])
