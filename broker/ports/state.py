"""What processes of one store share and follow: the epoch, and rows under the master key."""

from typing import Protocol


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
