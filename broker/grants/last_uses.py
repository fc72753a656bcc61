"""Noting when client secrets were last used, a minute's worth at a time."""

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final, Protocol

from broker.core.errors import Unavailable

logger = logging.getLogger(__name__)

WRITE_EVERY: Final = 60.0
"""Seconds. A use that was not written yet is in the audit all the same."""

MAX_NOTED: Final = 10_000


class UseNotes(Protocol):
    """Where the last uses are kept."""

    async def note_uses(self, uses: dict[str, dict[str, float]]) -> None:
        """Note when secrets were last used. Raises `Unavailable`."""
        ...


@dataclass(slots=True)
class LastUses:
    """Notes uses in memory, and writes them now and then: nothing depends on them."""

    notes: UseNotes
    _noted: defaultdict[str, dict[str, float]] = field(
        default_factory=lambda: defaultdict(dict), repr=False
    )

    def note(self, client_id: str, secret_id: str | None, now: float) -> None:
        """Note a use of a secret, and so of its account; None is a key of the account."""
        if client_id in self._noted or len(self._noted) < MAX_NOTED:
            self._noted[client_id] |= {secret_id or client_id: now, client_id: now}

    async def run(self) -> None:
        """Write for as long as the broker serves."""
        while True:
            await asyncio.sleep(WRITE_EVERY)
            await self.write()

    async def write(self) -> None:
        """Write what was noted; what the store does not take is left for the next time."""
        if not self._noted:
            return
        # What is noted meanwhile is for the next time.
        noted, self._noted = self._noted, defaultdict(dict)
        try:
            await self.notes.note_uses(noted)
        except Unavailable:
            logger.warning("the store does not take when secrets were last used")
            for client_id, uses in noted.items():
                self._noted[client_id] = uses | self._noted[client_id]
