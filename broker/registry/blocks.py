"""Setting and lifting blocks, as operators do."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from broker.core.audit import AuditEvent
from broker.core.blocks import SERVICE_ACCOUNT, Block
from broker.core.errors import Unavailable
from broker.core.instances import account_of, is_instance
from broker.core.registry.block_members import block_members, read_block
from broker.core.registry.refused import conflict, invalid, not_found
from broker.ports import (
    AccountSource,
    BlockStore,
    Clock,
    Identifiers,
    PolicySource,
    RegistryCaller,
    State,
)

MAX_BLOCKS: Final = 1000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BlockRegistry:
    """Implements the port `BlockOperations`."""

    store: BlockStore
    accounts: AccountSource
    state: State
    policies: PolicySource
    clock: Clock
    identifiers: Identifiers

    async def listed(self) -> list[dict[str, Any]]:
        """List the blocks that hold, the oldest first."""
        now = self.clock.now()
        return [block_members(each) for each in await self.store.blocks() if each.holds(now)]

    async def set(self, caller: RegistryCaller, members: Mapping[str, Any]) -> dict[str, Any]:
        """Set a block; it holds in every process at once for whatever is decided from now on."""
        now = self.clock.now()
        block = read_block(
            members,
            self.policies.current(),
            block_id=self.identifiers.new(now),
            actor=caller.actor,
            now=now,
        )
        await self._require_account(block)
        shown = block_members(block)
        event = self._event("block.created", caller, block.block_id, shown)
        if not await self.store.set_block(block, event, at_most=MAX_BLOCKS):
            raise conflict(f"there are {MAX_BLOCKS} blocks: lift some, or set wider ones")
        await self._follow(event)
        return shown

    async def lift(self, caller: RegistryCaller, block_id: str) -> None:
        """Lift a block."""
        event = self._event("block.deleted", caller, block_id, None)
        if not await self.store.lift_block(block_id, event):
            raise not_found("there is no such block")
        await self._follow(event)

    async def _require_account(self, block: Block) -> None:
        named = block.where.get(SERVICE_ACCOUNT)
        if named is None:
            return
        client_id = account_of(named)
        in_files = self.policies.current().policy_set.service_accounts.get(client_id)
        if in_files is None and await self.accounts.account(client_id) is None:
            raise invalid(f"where.{SERVICE_ACCOUNT}", "there is no such service account")
        instances = () if in_files is None else in_files.instances
        if named != client_id and not is_instance(named, instances):
            form = ":".join([client_id, *(f"{claim}:VALUE" for claim in instances)])
            raise invalid(
                f"where.{SERVICE_ACCOUNT}", f"is none of this account, which is blocked as {form}"
            )

    async def _follow(self, event: AuditEvent) -> None:
        logger.warning(event.type, extra={"actor": event.actor, "target": event.target})
        # The change is made; whoever made it finds it here at once.
        with suppress(Unavailable):
            await self.state.refresh()

    def _event(
        self, kind: str, caller: RegistryCaller, block_id: str, changes: Mapping[str, Any] | None
    ) -> AuditEvent:
        now = self.clock.now()
        return AuditEvent(
            id=self.identifiers.new(now),
            time=now,
            type=kind,
            outcome="success",
            request_id=caller.request_id,
            client_address=caller.client_address,
            actor=caller.actor,
            target=block_id,
            changes=changes,
        )
