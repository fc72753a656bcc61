"""Signing where the audit chain ends, again and again, so that a later cut shows (contract §6)."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from broker.audit.retention import Retention
from broker.core.audit_chain import Position
from broker.core.audit_head import HeadKey, SignedHead
from broker.core.errors import Unavailable
from broker.ports import AuditLog, Clock

INTERVAL: Final = 60.0
"""Seconds between two heads, while there are new events."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class AuditHeads:
    """The duties of one process towards the chain: it signs heads, and prunes behind them.

    Of several processes on one store only one should do so; two do no harm.
    """

    log: AuditLog
    key: HeadKey
    clock: Clock
    retention: Retention
    on_signed: Callable[[SignedHead], None] | None = None
    """Called with every head; the `OSError` it may raise is logged. None signs nothing."""

    _signed: Position | None = field(default=None, init=False)

    async def run(self) -> None:
        """Sign and prune for as long as the broker serves."""
        while True:
            await asyncio.sleep(INTERVAL)
            await self.tick()

    async def tick(self) -> None:
        """Sign a head if there are new events, and prune what is older than it is to be kept."""
        try:
            await self.sign()
            # NOTE: in this order. The last head of before a pruning shows what it may not change.
            if self.retention.due():
                await self.retention.apply()
        except Unavailable as error:
            logger.warning("the audit is looked at again: %s", error)

    async def sign(self) -> None:
        """Sign a head unless the chain ends where it did. Raises `Unavailable`."""
        if self.on_signed is None:
            return
        end = await self.log.chain_end()
        if end is None or end == self._signed:
            return
        head = self.key.head(end, self.clock.now())
        try:
            self.on_signed(head)
        except OSError:
            # The next one covers the same events.
            logger.exception("the head of event %d was not passed on", head.sequence)
        else:
            self._signed = end

    async def at_stop(self) -> None:
        """Sign a last head, when no more events come."""
        try:
            await self.sign()
        except Unavailable as error:
            logger.warning("the last head was not signed: %s", error)
