"""Writing the counted refusals to the ledger when their minute has ended."""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from broker.core.audit import AuditEvent
from broker.core.errors import Unavailable
from broker.core.refusal_counts import MAX_EVENTS_PER_WINDOW, RefusalCounts
from broker.ports import Clock, Entry, Ledger

logger = logging.getLogger(__name__)

_INTERVAL_SECONDS: Final = 1.0


@dataclass(slots=True)
class CountedRefusals:
    """Moves ended counts into the ledger; what a store in trouble does not take waits, bounded."""

    counts: RefusalCounts
    ledger: Ledger
    clock: Clock
    _waiting: deque[AuditEvent] = field(
        default_factory=lambda: deque(maxlen=MAX_EVENTS_PER_WINDOW), repr=False
    )

    async def run(self) -> None:
        """Write ended counts every second, for as long as the broker serves."""
        while True:
            await asyncio.sleep(_INTERVAL_SECONDS)
            await self.write_ended()

    async def write_ended(self) -> None:
        """Write the counts whose minute has ended."""
        self._waiting.extend(self.counts.take_ended(self.clock.now()))
        await self._write()

    async def write_all(self) -> None:
        """Write every count, as at a stop."""
        self._waiting.extend(self.counts.take_all())
        await self._write()

    async def _write(self) -> None:
        while self._waiting:
            try:
                await self.ledger.commit(Entry(self._waiting[0]))
            except Unavailable:
                logger.warning("the store does not take %d counted refusals", len(self._waiting))
                return
            self._waiting.popleft()
