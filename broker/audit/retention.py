"""Pruning events that were kept long enough, in small steps and behind a signed beginning."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final, Protocol

from broker.core.audit import rfc3339
from broker.core.audit_chain import START, Position, StoredEvent, verify_chain
from broker.core.audit_head import HeadKey, HeadRefused, HeadTyp
from broker.ports import AuditLog, AuditRetention, ChainPage, Clock

LEAST: Final = 2 * 86_400
"""Seconds for which events are kept at least: the longest service token lives half as long, and it
is looked up in them."""

PRUNE_EVERY: Final = 600.0
FORGET_EVERY: Final = 86_400.0
BATCH: Final = 200
PAUSE: Final = 0.02
"""Seconds between two batches, in which others write."""

KEPT_SETS: Final = 3
"""How many of the policy sets that ran last are kept whatever the events name."""

logger = logging.getLogger(__name__)


class PrunedStore(AuditLog, AuditRetention, Protocol):
    """A store whose events can be read and let go of."""


@dataclass(slots=True)
class Retention:
    """Keeps events for `seconds`, two days at least."""

    store: PrunedStore
    key: HeadKey
    clock: Clock
    seconds: float
    _pruned_at: float = field(default=float("-inf"), init=False)
    _forgot_at: float = field(default=float("-inf"), init=False)

    def due(self) -> bool:
        """Tell whether it is time to look for old events."""
        return abs(self.clock.now() - self._pruned_at) >= PRUNE_EVERY

    async def apply(self) -> int:
        """Prune every event that is old enough, and what only they needed; tell how many.

        Raises `Unavailable`.
        """
        pruned = 0
        while batch := await self._prune_batch():
            pruned += batch
            await asyncio.sleep(PAUSE)
        self._pruned_at = self.clock.now()
        if pruned:
            logger.info("%d audit events were kept long enough and are pruned", pruned)
        if abs(self._pruned_at - self._forgot_at) >= FORGET_EVERY:
            await self.store.forget_policy_sets(KEPT_SETS)
            self._forgot_at = self._pruned_at
        return pruned

    async def _prune_batch(self) -> int:
        page = await self.store.chain_page(0, BATCH + 1)
        # In a thread: it takes milliseconds, in which the event loop would serve nobody.
        last = await asyncio.to_thread(self._last_to_prune, page)
        if last is None:
            return 0
        beginning = self.key.sign(last, self.clock.now(), HeadTyp.BEGINNING)
        return await self.store.prune_events(last, beginning)

    def _last_to_prune(self, page: ChainPage) -> Position | None:
        """Find the last of the first events that are old enough; None when none may go."""
        oldest_kept = rfc3339(self.clock.now() - max(self.seconds, LEAST))
        old = list(takewhile(lambda event: _is_before(event, oldest_kept), page.events))
        # A chain goes on behind its last event; that one stays.
        if len(old) == len(page.events):
            old = old[:-1]
        if not old or not self._whole(page.beginning, old):
            return None
        return Position(old[-1].sequence, old[-1].hash)

    def _whole(self, beginning: str | None, old: Sequence[StoredEvent]) -> bool:
        """Tell whether the part to be pruned is untouched: what was done to it would be covered up.

        What the broker signs as the new beginning must not make a cut by somebody else good.
        """
        try:
            begins_after = START
            if beginning is not None:
                begins_after = self.key.verifier().read(beginning, HeadTyp.BEGINNING).position
        except HeadRefused as error:
            logger.error("old events are not pruned, the beginning is not ours: %s", error)  # noqa: TRY400
            return False
        report = verify_chain((event.link() for event in old), begins_after=begins_after)
        if not report.ok:
            logger.error(
                "old events are not pruned, the chain is broken at event %d: %s",
                report.first_broken,
                report.fault,
            )
        return report.ok


def _is_before(event: StoredEvent, instant: str) -> bool:
    """Tell whether an event is older; one that cannot be read counts, and is found broken then."""
    try:
        time = event.members().get("time")
    except ValueError:
        return True
    return not isinstance(time, str) or time < instant
