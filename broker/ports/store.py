"""A whole store: all that `stores` provides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from broker.core.audit import AuditEvent
from broker.ports.accounts import AccountRow, AccountRowStore, SecretRow
from broker.ports.audit import AuditLog, AuditRetention
from broker.ports.blocks import BlockStore
from broker.ports.issuers import IssuerSwitches
from broker.ports.keys import SigningKeyRow, SigningKeyStore
from broker.ports.ledger import Ledger, Revocations, TokenRecord
from broker.ports.policies import PolicySetStore
from broker.ports.state import SealedRows, StateEpoch


@dataclass(frozen=True, slots=True)
class RowsUnderMasterKey:
    """All that a store holds and that only the master key opens."""

    signing_keys: tuple[SigningKeyRow, ...]
    sealed: Mapping[str, bytes]
    """The sealed rows by name."""

    policy_sets: Mapping[str, bytes]
    """The kept policy sets by version."""

    accounts: tuple[AccountRow, ...] = ()
    secrets: tuple[SecretRow, ...] = ()


class RewrappingStore(Protocol):
    """A store whose rows can be put under another master key."""

    async def rewrap(
        self, anew: Callable[[RowsUnderMasterKey], RowsUnderMasterKey], event: AuditEvent
    ) -> None:
        """Replace all of these rows by what `anew` makes of them, and record it, or change nothing.

        Raises `ConfigurationError` when `anew` does, and `Unavailable`.
        """
        ...


class Store(
    Ledger,
    StateEpoch,
    SigningKeyStore,
    SealedRows,
    RewrappingStore,
    TokenRecord,
    Revocations,
    BlockStore,
    IssuerSwitches,
    PolicySetStore,
    AccountRowStore,
    AuditLog,
    AuditRetention,
    Protocol,
):
    """A whole store."""

    async def ready(self) -> bool:
        """Tell whether the store can be written now."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go."""
        ...
