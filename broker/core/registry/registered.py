"""Service accounts in one view, whether a policy file defines them or the API made them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.core.audit import rfc3339
from broker.core.managed_account import (
    FILE_INCARNATION,
    MANAGED_BY_API,
    MANAGED_BY_FILE,
    AccountOverride,
    ClientSecret,
    ManagedAccount,
)
from broker.core.policy import Grants, PolicySet, ServiceAccount
from broker.core.registry.authority import Authority
from broker.core.registry.refused import ChangeRefused, not_found


@dataclass(frozen=True, slots=True)
class RegisteredAccount:
    """An account as the registry shows it. Times are seconds since the epoch."""

    client_id: str
    incarnation: str
    managed_by: str
    name: str
    description: str
    organization: str | None
    grants: Mapping[str, tuple[str, ...]]
    """Scopes by service as they were granted, wildcards included."""

    scopes: Grants
    """What the grants mean in the catalogue."""

    ttl: int | None
    max_ttl: int | None
    metadata: Mapping[str, Any]
    secrets_allowed: bool
    jwks: Mapping[str, Any] | None
    jwks_uri: str | None
    enabled: bool
    expires_at: float | None
    allowed_networks: tuple[str, ...]
    created_at: float | None
    updated_at: float | None

    def members(self, last_used_at: float | None) -> dict[str, Any]:
        """Give the JSON members of the contract (§5)."""
        return {
            "id": self.client_id,
            "client_id": self.client_id,
            "name": self.name,
            "description": self.description,
            "organization": self.organization,
            "grants": {name: list(scopes) for name, scopes in self.grants.items()},
            "ttl": self.ttl,
            "max_ttl": self.max_ttl,
            "metadata": dict(self.metadata),
            "secrets_allowed": self.secrets_allowed,
            "jwks": self.jwks,
            "jwks_uri": self.jwks_uri,
            "enabled": self.enabled,
            "expires_at": moment(self.expires_at),
            "allowed_networks": list(self.allowed_networks),
            "managed_by": self.managed_by,
            "created_at": moment(self.created_at),
            "updated_at": moment(self.updated_at),
            "last_used_at": moment(last_used_at),
        }


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """All that is known of one id, read at one epoch."""

    row: ManagedAccount | None = None
    """As the store has it, deleted ones included."""

    in_files: ServiceAccount | None = None
    override: AccountOverride | None = None
    secrets: tuple[ClientSecret, ...] = ()
    """Of every incarnation, the oldest first."""

    def found(self, authority: Authority, policy_set: PolicySet) -> RegisteredAccount:
        """Give the account, if it exists for the caller. Raises `ChangeRefused` (`NOT_FOUND`)."""
        account = self.registered(policy_set)
        if account is None or not authority.sees(account.organization):
            # The same for both: who asks does not learn what others have (attacks row 142).
            raise no_such_account()
        return account

    def registered(self, policy_set: PolicySet) -> RegisteredAccount | None:
        """Give the account in the common view; None when there is none, or no longer."""
        if self.in_files is not None:
            return of_file(self.in_files, self.override)
        if self.row is not None and self.row.deleted_at is None:
            return of_row(self.row, policy_set)
        return None


def of_row(row: ManagedAccount, policy_set: PolicySet) -> RegisteredAccount:
    """Show an account of the store."""
    return RegisteredAccount(
        client_id=row.client_id,
        incarnation=row.incarnation,
        managed_by=MANAGED_BY_API,
        name=row.name,
        description=row.description,
        organization=row.organization,
        grants=row.grants,
        scopes=row.resolved(policy_set).grants,
        ttl=row.ttl,
        max_ttl=row.max_ttl,
        metadata=row.metadata,
        secrets_allowed=row.secrets_allowed,
        jwks=row.jwks,
        jwks_uri=row.jwks_uri,
        enabled=row.enabled,
        expires_at=row.expires_at,
        allowed_networks=row.allowed_networks,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def of_file(account: ServiceAccount, override: AccountOverride | None) -> RegisteredAccount:
    """Show an account of the policy files, and what was said of it since."""
    return RegisteredAccount(
        client_id=account.client_id,
        incarnation=FILE_INCARNATION,
        managed_by=MANAGED_BY_FILE,
        name=account.client_id,
        description=account.description,
        organization=account.organization,
        grants={name: tuple(sorted(scopes)) for name, scopes in account.grants.items()},
        scopes=account.grants,
        ttl=account.ttl,
        max_ttl=account.max_ttl,
        metadata=account.metadata,
        secrets_allowed=account.secrets_allowed,
        jwks=account.jwks,
        jwks_uri=account.jwks_uri,
        enabled=account.enabled and (override is None or override.enabled),
        expires_at=None,
        allowed_networks=(),
        created_at=None,
        updated_at=None if override is None else override.updated_at,
    )


def no_such_account() -> ChangeRefused:
    """Refuse what is about an account that the caller does not see."""
    return not_found("there is no such service account")


def moment(instant: float | None) -> str | None:
    """Write an instant as RFC 3339 in UTC."""
    return None if instant is None else rfc3339(instant)
