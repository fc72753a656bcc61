"""A planned change of accounts and secrets, and what the audit says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from broker.core.managed_account import AccountOverride, ClientSecret, ManagedAccount
from broker.core.registry.registered import AccountEntry


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret that was drawn, without itself."""

    secret_id: str
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    """What an audit event says of a change: never a secret, nor its digest."""

    type: str
    service_account: str
    target: str
    """The account's id, or that of the secret."""

    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of which rows; nothing of it is done unless all is."""

    accounts: tuple[ManagedAccount, ...] = ()
    new_ids: frozenset[str] = frozenset()
    overrides: tuple[AccountOverride, ...] = ()
    secrets: tuple[ClientSecret, ...] = ()
    removed_secrets: tuple[str, ...] = ()
    records: tuple[Record, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether everything is as it was asked to be."""
        return self == Plan()

    def applied_to(self, rows: AccountEntry) -> AccountEntry:
        """Give the rows of the one account that it changes, as they are afterwards."""
        return replace(
            rows,
            row=self.accounts[0] if self.accounts else rows.row,
            override=self.overrides[0] if self.overrides else rows.override,
        )

    def together_with(self, other: "Plan") -> "Plan":
        """Add what becomes of other rows."""
        return replace(
            self,
            secrets=self.secrets + other.secrets,
            records=self.records + other.records,
        )
