"""What processes of one store share and follow: the epoch, and rows under the master key."""

from collections.abc import Sequence
from typing import Protocol

from broker.core.audit import AuditEvent


class State(Protocol):
    """What this process holds in memory of the store: policies, keys and all else that decides.

    Every change in the store raises the store's epoch; what is held was read at an epoch.
    """

    def epoch(self) -> int:
        """Give the epoch at which all that is held was current."""
        ...

    async def refresh(self) -> None:
        """Read anew whatever changed since. Raises `Unavailable`."""
        ...


class StateEpoch(Protocol):
    """How often what decides has changed: policies, keys, over all processes of a store."""

    async def state_epoch(self) -> int:
        """Read the epoch, which every such change raises in its own transaction.

        Raises `Unavailable`.
        """
        ...


class SealedRowReading(Protocol):
    """Named rows of the broker's own, sealed under the master key by whoever writes them."""

    async def sealed_row(self, name: str) -> bytes | None:
        """Find the content of a row. Raises `Unavailable`."""
        ...


class SealedRows(SealedRowReading, Protocol):
    """The same, for whoever writes them."""

    async def add_sealed_row(self, name: str, content: bytes) -> bool:
        """Insert a row unless there is one of this name; tell whether it was inserted.

        Raises `Unavailable`.
        """
        ...


class ChangingSealedRows(SealedRows, Protocol):
    """The same, for rows that change."""

    async def sealed_rows(self, names: Sequence[str]) -> dict[str, bytes]:
        """Find the contents of some rows at once, by name. Raises `Unavailable`."""
        ...

    async def replace_sealed_row(self, name: str, before: bytes, content: bytes) -> bool:
        """Replace a row whose content is still the one given; tell whether it was replaced.

        Raises `Unavailable`.
        """
        ...

    async def put_sealed_row(self, name: str, content: bytes, event: AuditEvent) -> None:
        """Insert or replace a row, record it and raise the epoch, all or nothing.

        Raises `Unavailable`.
        """
        ...
