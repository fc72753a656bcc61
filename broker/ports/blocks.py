"""Blocks, as they lie in the store."""

from collections.abc import Mapping
from typing import Any, Protocol

from broker.core.audit import AuditEvent
from broker.core.blocks import Block
from broker.ports.registry import RegistryCaller


class BlockReading(Protocol):
    """The blocks that were set and not lifted."""

    async def blocks(self) -> list[Block]:
        """List them, by id; some may be over. Raises `Unavailable`."""
        ...


class BlockStore(BlockReading, Protocol):
    """The same, for whoever changes them. Every change raises the epoch."""

    async def set_block(self, block: Block, event: AuditEvent, *, at_most: int) -> bool:
        """Set a block and record it, both or nothing; tell whether it was set.

        It is not where `at_most` of those that are not over are set already. Raises `Unavailable`.
        """
        ...

    async def lift_block(self, block_id: str, event: AuditEvent) -> bool:
        """Lift a block and record it; tell whether there was one. Raises `Unavailable`."""
        ...


class BlockOperations(Protocol):
    """What operators do with blocks; all raise `ChangeRefused` and `Unavailable`."""

    async def listed(self) -> list[dict[str, Any]]:
        """List the blocks that hold, as JSON members, the oldest first."""
        ...

    async def set(self, caller: RegistryCaller, members: Mapping[str, Any]) -> dict[str, Any]:
        """Set a block by the members of a request, and show it."""
        ...

    async def lift(self, caller: RegistryCaller, block_id: str) -> None:
        """Lift a block."""
        ...
