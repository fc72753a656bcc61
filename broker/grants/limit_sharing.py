"""Sharing counts between the processes of one store: whoever has counted enough asks the others.

Requests that have to wait for an answer are gathered while the one before is under way.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

from broker.core.errors import Unavailable
from broker.core.limits import Total, retry_after, within
from broker.grants.limit_table import LimitTable, Waiting
from broker.ports import Clock, CountReport, SharedCounts, SharedTotals

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS: Final = 1.0
"""How often a process says that it lives, and hears how many do."""


@dataclass(slots=True)
class _Asked:
    """The requests of one key that wait, in the order they came."""

    table: LimitTable
    key: str
    waiting: list[Waiting] = field(default_factory=list)


class LimitSharing:
    """Shares what this process counts; implements `Sharing`.

    While the totals cannot be reached, each process counts for itself, and says so in the log:
    that is too generous, but a count must not be what stops a broker.
    """

    def __init__(self, counts: SharedCounts, clock: Clock) -> None:
        self.processes = 1
        self._counts = counts
        self._clock = clock
        self._asked: dict[tuple[int, str], _Asked] = {}
        self._answering: asyncio.Task[None] | None = None
        self._reached = True

    def ask(self, table: LimitTable, key: str) -> Waiting:
        """Share the count of a key, in which the request is counted last."""
        waiting: Waiting = asyncio.get_running_loop().create_future()
        asked = self._asked.setdefault((id(table), key), _Asked(table, key))
        asked.waiting.append(waiting)
        if self._answering is None or self._answering.done():
            self._answering = asyncio.create_task(self._answer())
        return waiting

    async def run(self) -> None:
        """Say every second that this process lives, for as long as the broker serves."""
        while True:
            await self.beat()
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def beat(self) -> None:
        """Say that this process lives, and hear how many do."""
        await self._share([])

    async def close(self) -> None:
        """Wait for what is being shared."""
        if self._answering is not None:
            await self._answering

    async def _answer(self) -> None:
        while self._asked:
            asked, self._asked = list(self._asked.values()), {}
            now = self._clock.now()
            own = [_unshared(each) for each in asked]
            reports = [
                CountReport(each.table.digest(each.key), each.table.rate, count)
                for each, count in zip(asked, own, strict=True)
            ]
            shared = await self._share(reports)
            totals = (
                [_alone(each, count, now) for each, count in zip(asked, own, strict=True)]
                if shared is None
                else shared.totals
            )
            for each, count, total in zip(asked, own, totals, strict=True):
                _take_in(each, count, total, now)

    async def _share(self, reports: list[CountReport]) -> SharedTotals | None:
        try:
            shared = await self._counts.share(reports, self._clock.now())
        except Unavailable as error:
            if self._reached:
                logger.error("rate limits count in this process alone: %s", error.description)  # noqa: TRY400
            self._reached = False
            return None
        if not self._reached:
            logger.warning("rate limits count for all processes again")
        self._reached = True
        self.processes = shared.processes
        return shared


def _unshared(asked: _Asked) -> int:
    """Tell how much of a key is not shared: what waits at least, when the rest was forgotten."""
    window = asked.table.window(asked.key)
    return max(window.own if window else 0, len(asked.waiting))


def _alone(asked: _Asked, own: int, now: float) -> Total:
    window = asked.table.window(asked.key)
    return Total(now, own) if window is None else Total(window.started, window.known + own)


def _take_in(asked: _Asked, own: int, total: Total, now: float) -> None:
    rate = asked.table.rate
    asked.table.take_in(asked.key, own, total)
    # Those before them in the count were admitted without asking.
    for place, waiting in enumerate(asked.waiting, own - len(asked.waiting) + 1):
        if not waiting.done():  # whoever waited was cancelled
            admitted = within(total, own, place, rate)
            waiting.set_result(0 if admitted else retry_after(total.started, rate, now))
