"""Service accounts and client secrets that are made while the broker runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from broker.core.audit import AuditEvent
from broker.core.managed_account import AccountOverride, ClientSecret, ManagedAccount


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What becomes of accounts and secrets, planned by the rows of one epoch."""

    epoch: int
    accounts: tuple[ManagedAccount, ...] = ()
    """Rows that are new, or take the place of the same account's; deleted ones are marked."""

    new_ids: frozenset[str] = frozenset()
    """The ids of those that must not have been given before, to a deleted account either."""

    overrides: tuple[AccountOverride, ...] = ()
    secrets: tuple[ClientSecret, ...] = ()
    """Secrets that are new, or take the place of the same one."""

    removed_secrets: tuple[str, ...] = ()
    """The ids of secrets that hold no longer."""

    events: tuple[AuditEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as a store keeps it, sealed under the master key."""

    client_id: str
    kind: str
    """`account`, or `override` for what is said of one that a policy file defines."""

    organization: str | None
    deleted: bool
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SecretRow:
    """A client secret as a store keeps it: its digest, and the rest sealed."""

    secret_id: str
    client_id: str
    digest: bytes = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccountRows:
    """An `AccountChange` in rows."""

    epoch: int
    accounts: tuple[AccountRow, ...]
    new_ids: frozenset[str]
    secrets: tuple[SecretRow, ...]
    removed_secrets: tuple[str, ...]
    events: tuple[AuditEvent, ...]


class GivenIds(Protocol):
    """Which ids were given to accounts that were made while a broker ran."""

    async def given_ids(self, client_ids: Sequence[str]) -> frozenset[str]:
        """Say which ids have an account that was made, or had one."""
        ...


class AccountRowReading(GivenIds, Protocol):
    """The rows of accounts and secrets. All raise `Unavailable`."""

    async def account_row(self, client_id: str, kind: str) -> AccountRow | None:
        """Find a row, that of a deleted account included."""
        ...

    async def account_rows_of(self, client_ids: Sequence[str]) -> list[AccountRow]:
        """Find the rows of some accounts at once, those of deleted ones included, in any order."""
        ...

    async def account_rows(
        self, kind: str, *, organization: str | None, after: str, limit: int
    ) -> list[AccountRow]:
        """List rows that are not deleted, by id; those of one organization only, if given."""
        ...

    async def account_ids_within(self, organization: str) -> list[str]:
        """Name the accounts of an organization, the deleted ones included."""
        ...

    async def count_accounts(self, organization: str | None) -> int:
        """Count the accounts of an organization that are not deleted; None is no organization."""
        ...

    async def secret_row(self, digest: bytes) -> SecretRow | None:
        """Find a secret by its digest."""
        ...

    async def secret_rows(self, client_id: str) -> list[SecretRow]:
        """List the secrets of an account, the oldest first."""
        ...

    async def having_secrets(self) -> list[str]:
        """Name the accounts that have secrets, by id, those of files included."""
        ...

    async def last_used(self, client_ids: Sequence[str]) -> dict[str, float]:
        """Tell when some accounts were last used, in seconds since the epoch, to the minute."""
        ...

    async def last_uses(self, client_id: str) -> dict[str, float]:
        """Tell when each secret of an account was last used, and the account under its id."""
        ...


class AccountRowStore(AccountRowReading, Protocol):
    """The same, for whoever writes them."""

    async def change_account_rows(self, change: AccountRows) -> bool:
        """Make a change and record its events in one transaction; tell whether it was made."""
        ...

    async def note_uses(self, uses: dict[str, dict[str, float]]) -> None:
        """Note when secrets were last used: by account and secret, in seconds since the epoch."""
        ...


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Some accounts by id, and the id behind which the next page begins."""

    accounts: tuple[ManagedAccount, ...]
    next_after: str | None = None


class AccountFinding(Protocol):
    """Accounts and secrets as they lie in the store, each found by what names it.

    A row whose MAC fails counts as absent, and alarms. All raise `Unavailable`.
    """

    async def account(self, client_id: str) -> ManagedAccount | None:
        """Find an account by its id, a deleted one included."""
        ...

    async def account_override(self, client_id: str) -> AccountOverride | None:
        """Find what was said of an account that a policy file defines."""
        ...

    async def secret_of_digest(self, digest: bytes) -> ClientSecret | None:
        """Find a secret by what is stored of it."""
        ...


class AccountReading(AccountFinding, Protocol):
    """The same, and several at once. All raise `Unavailable`."""

    async def accounts_of(self, client_ids: Sequence[str]) -> tuple[ManagedAccount, ...]:
        """Find some accounts at once, deleted ones included, in any order."""
        ...

    async def accounts(
        self, *, organization: str | None = None, after: str = "", limit: int = 100
    ) -> AccountPage:
        """List accounts that are not deleted, by id; those of one organization only, if given."""
        ...

    async def count_accounts(self, organization: str | None) -> int:
        """Count the accounts of an organization that are not deleted; None is no organization."""
        ...

    async def account_overrides(self) -> tuple[AccountOverride, ...]:
        """List what was said of accounts that policy files define, by id."""
        ...

    async def secrets_of(self, client_id: str) -> tuple[ClientSecret, ...]:
        """List the secrets of an account, of every incarnation, the oldest first."""
        ...

    async def having_secrets(self) -> list[str]:
        """Name the accounts that have secrets, by id, those of files included."""
        ...

    async def last_used(self, client_ids: Sequence[str]) -> dict[str, float]:
        """Tell when some accounts were last used, in seconds since the epoch, to the minute."""
        ...

    async def last_uses(self, client_id: str) -> dict[str, float]:
        """Tell when each secret of an account was last used, and the account itself under its id.

        In seconds since the epoch, to the minute.
        """
        ...


class AccountSource(Protocol):
    """Accounts and secrets as this process holds them. All raise `Unavailable`."""

    async def account(self, client_id: str) -> ManagedAccount | None:
        """Find an account, a deleted one included."""
        ...

    async def override(self, client_id: str) -> AccountOverride | None:
        """Find what was said of an account that a policy file defines."""
        ...

    async def secret_of_digest(self, digest: bytes) -> ClientSecret | None:
        """Find a secret by what is stored of it."""
        ...


class AccountStore(AccountReading, Protocol):
    """The same, for whoever changes them."""

    async def change_accounts(self, change: AccountChange) -> bool:
        """Make a change and record its events in one transaction; tell whether it was made.

        It is not when the state has changed since its epoch, or when one of `new_ids` was given
        before. Raises `Unavailable`.
        """
        ...

    async def note_uses(self, uses: dict[str, dict[str, float]]) -> None:
        """Note when secrets were last used: by account and secret, in seconds since the epoch.

        Nothing depends on it: it raises no epoch. Raises `Unavailable`.
        """
        ...
