"""Service accounts and client secrets as the store keeps them, beside those of the policy files.

What grants anything is here, and nothing else: when a secret was last used is kept apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from broker.core.broker_service import BROKER_SERVICE
from broker.core.grant_text import scopes_meant
from broker.core.policy import PolicySet, Service, ServiceAccount

MANAGED_BY_FILE: Final = "file"
MANAGED_BY_API: Final = "api"

FILE_INCARNATION: Final = "file"
"""That of an account which a policy file defines: there is one for as long as a file has it."""


def admits(service: Service, organization: str | None) -> bool:
    """Tell whether managed accounts of an organization, or of none, may hold a service's scopes.

    A service that lists no organization is open to accounts without one. Scopes of the broker
    itself are held by whoever was given them.
    """
    if service.name == BROKER_SERVICE:
        return True
    if organization is None:
        return not service.organizations
    return organization in service.organizations


@dataclass(frozen=True, slots=True)
class ManagedAccount:
    """An account that is made, changed and deleted through the API or `broker accounts`.

    Times are seconds since the epoch, `ttl` and `max_ttl` seconds.
    """

    client_id: str
    incarnation: str
    """Drawn when the account is made: secrets and revocations belong to one incarnation."""

    name: str
    description: str = ""
    organization: str | None = None
    grants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Scopes by service name as they were granted: `x:*` means what the catalogue has of it."""

    ttl: int | None = None
    max_ttl: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    secrets_allowed: bool = True
    jwks: Mapping[str, Any] | None = None
    jwks_uri: str | None = None
    enabled: bool = True
    expires_at: float | None = None
    allowed_networks: tuple[str, ...] = ()
    created_at: float = 0.0
    updated_at: float = 0.0
    deleted_at: float | None = None
    """When it was deleted; the row stays, so that its id is never given to another."""

    def live(self, now: float) -> bool:
        """Tell whether it may do anything at an instant."""
        over = self.expires_at is not None and now >= self.expires_at
        return self.enabled and self.deleted_at is None and not over

    def resolved(self, policy_set: PolicySet) -> ServiceAccount:
        """Give it as decisions know accounts: its grants within the catalogue of a policy set.

        A service that is no longer open to its organization, or has none of the scopes any more,
        is not granted.
        """
        grants = {
            name: meant
            for name, scopes in self.grants.items()
            if (service := policy_set.services.get(name)) and admits(service, self.organization)
            if (meant := scopes_meant(scopes, service)) or not scopes
        }
        return ServiceAccount(
            client_id=self.client_id,
            grants=grants,
            description=self.description,
            organization=self.organization,
            ttl=self.ttl,
            max_ttl=self.max_ttl,
            metadata=self.metadata,
            enabled=self.enabled,
            secrets_allowed=self.secrets_allowed,
            jwks=self.jwks,
            jwks_uri=self.jwks_uri,
        )


@dataclass(frozen=True, slots=True)
class AccountOverride:
    """What the API says of an account that a policy file defines."""

    client_id: str
    enabled: bool
    updated_at: float


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A client secret, without itself: `digest` is that of `broker.core.client_secret`."""

    secret_id: str
    client_id: str
    incarnation: str
    digest: bytes = field(repr=False)
    created_at: float
    expires_at: float | None = None
    """From when on it no longer holds: its own expiry, or the end of a rotation's overlap."""

    replaces: str | None = None
    """The secret whose rotation made this one, while the rotation is not complete."""

    replaced_until: float | None = None
    """Until when the secret that this one replaces would have held; None is without end."""

    def holds(self, now: float) -> bool:
        """Tell whether it may be used at an instant."""
        return self.expires_at is None or now < self.expires_at
