"""A service token that counts: what it says, by name and with its types (contract §5)."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple


class Actor(NamedTuple):
    """The CI token that the service token was issued for (RFC 8693 §4.1)."""

    issuer: str
    subject: str


class Workload(NamedTuple):
    """The job, as its platform described it; for logs, since branches are named by who may push."""

    platform: str
    members: Mapping[str, str]
    """`repository`, `repository_id`, `ref`, `sha`, `run_id` and so on, each when it is there."""


# NOTE: frozen in earnest, and what can be changed is given away as a copy: a token that comes again
# is this very object, in another request.
@dataclass(frozen=True)
class VerifiedToken:
    """Who calls, and what they may do."""

    _claims: Mapping[str, Any]
    scopes: frozenset[str]
    expires_at: int
    """Seconds since the epoch."""

    @property
    def claims(self) -> Mapping[str, Any]:
        """Everything that was signed, as a copy."""
        return deepcopy(self._claims)

    @property
    def client_id(self) -> str:
        """The service account."""
        return str(self._claims["client_id"])

    @property
    def subject(self) -> str:
        """The service account, or one identity of it (`instances`)."""
        return str(self._claims["sub"])

    @property
    def token_id(self) -> str:
        """What the token is called in the broker's audit."""
        return str(self._claims["jti"])

    @property
    def issued_at(self) -> int:
        """Seconds since the epoch."""
        return int(self._claims["iat"])

    @property
    def organization(self) -> str | None:
        """The account's organization."""
        return self._claims.get("org_id")

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The account's metadata, empty without any."""
        found = self._claims.get("metadata")
        return deepcopy(found) if isinstance(found, dict) else {}

    @property
    def policies(self) -> tuple[str, ...]:
        """The policies that permitted it; none for client credentials."""
        return tuple(str(self._claims.get("policy", "")).split())

    @property
    def actor(self) -> Actor | None:
        """The CI token that it was issued for; None for client credentials."""
        found = self._claims.get("act")
        if not isinstance(found, dict):
            return None
        return Actor(str(found.get("iss")), str(found.get("sub")))

    @property
    def workload(self) -> Workload | None:
        """The job that it was issued to, where the platform has a preset and the service asks."""
        found = self._claims.get("workload")
        if not isinstance(found, dict):
            return None
        members = {name: str(value) for name, value in found.items() if name != "platform"}
        return Workload(str(found.get("platform")), members)
