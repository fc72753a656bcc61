"""A whole store: all that `stores` provides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from broker.core.audit import AuditEvent
from broker.ports.accounts import AccountRow, AccountRowReading, AccountRowStore, SecretRow
from broker.ports.audit import AuditLog, AuditRetention, ClaimsFilter
from broker.ports.blocks import BlockReading, BlockStore
from broker.ports.issuers import IssuerSwitches, IssuerSwitchReading
from broker.ports.keys import SigningKeyReading, SigningKeyRow, SigningKeyStore
from broker.ports.ledger import Ledger, Revocations, TokenRecord
from broker.ports.policies import PolicySetReading, PolicySetStore
from broker.ports.state import ChangingSealedRows, SealedRowReading, StateEpoch


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


class StoreReading(
    StateEpoch,
    SigningKeyReading,
    SealedRowReading,
    TokenRecord,
    BlockReading,
    IssuerSwitchReading,
    PolicySetReading,
    AccountRowReading,
    AuditLog,
    Protocol,
):
    """All that can be asked of a store."""

    async def events(
        self, *, decision_id: str | None = None, after_seq: int = 0, limit: int = 100
    ) -> list[dict[str, Any]]:
        """List events as JSON members, oldest first. Raises `Unavailable`."""
        ...

    async def events_with_claims(self, wanted: ClaimsFilter) -> list[int]:
        """Name the events whose claims are meant, as the port `AuditRetention` does."""
        ...


class Store(
    StoreReading,
    Ledger,
    SigningKeyStore,
    ChangingSealedRows,
    RewrappingStore,
    Revocations,
    BlockStore,
    IssuerSwitches,
    PolicySetStore,
    AccountRowStore,
    AuditRetention,
    Protocol,
):
    """A whole store."""

    async def rewrite_file(self) -> None:
        """Write anew where the state lies, without what was overwritten. Raises `Unavailable`."""
        ...

    async def ready(self) -> bool:
        """Tell whether the store can be written now."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go."""
        ...
