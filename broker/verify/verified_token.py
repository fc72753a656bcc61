"""A service token that counts: what it says, by name and with its types (contract §5)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from broker.core.record import record


class Actor(NamedTuple):
    """The CI token that the service token was issued for (RFC 8693 §4.1)."""

    issuer: str
    subject: str


class Workload(NamedTuple):
    """The job, as its platform described it; for logs, since branches are named by who may push."""

    platform: str
    members: Mapping[str, str]
    """`repository`, `repository_id`, `ref`, `sha`, `run_id` and so on, each when it is there."""


@record
class VerifiedToken:
    """Who calls, and what they may do."""

    claims: Mapping[str, Any]
    """Everything that was signed."""

    scopes: frozenset[str]
    expires_at: int
    """Seconds since the epoch."""

    @property
    def client_id(self) -> str:
        """The service account."""
        return str(self.claims["client_id"])

    @property
    def subject(self) -> str:
        """The service account, or one identity of it (`instances`)."""
        return str(self.claims["sub"])

    @property
    def token_id(self) -> str:
        """What the token is called in the broker's audit."""
        return str(self.claims["jti"])

    @property
    def issued_at(self) -> int:
        """Seconds since the epoch."""
        return int(self.claims["iat"])

    @property
    def organization(self) -> str | None:
        """The account's organization."""
        return self.claims.get("org_id")

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The account's metadata, empty without any."""
        found = self.claims.get("metadata")
        return found if isinstance(found, dict) else {}

    @property
    def policies(self) -> tuple[str, ...]:
        """The policies that permitted it; none for client credentials."""
        return tuple(str(self.claims.get("policy", "")).split())

    @property
    def actor(self) -> Actor | None:
        """The CI token that it was issued for; None for client credentials."""
        found = self.claims.get("act")
        if not isinstance(found, dict):
            return None
        return Actor(str(found.get("iss")), str(found.get("sub")))

    @property
    def workload(self) -> Workload | None:
        """The job that it was issued to, where the platform has a preset and the service asks."""
        found = self.claims.get("workload")
        if not isinstance(found, dict):
            return None
        members = {name: str(value) for name, value in found.items() if name != "platform"}
        return Workload(str(found.get("platform")), members)
