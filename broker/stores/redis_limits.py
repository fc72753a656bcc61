"""The shared counts of rate limits, in Redis.

They change far more often than anything else, so they have a connection of their own and wait for
no replica. A window that nobody counts in any more goes by itself.
"""

import asyncio
import os
from collections.abc import Sequence
from typing import Final

from broker.core.errors import Reason, Unavailable
from broker.core.limits import Total
from broker.core.redis_address import RedisAddress
from broker.ports import CountReport, SharedTotals
from broker.stores import redis_keys
from broker.stores.redis_link import Link, LinkLost, LinkRefused, Word, open_link
from broker.stores.redis_scripts import SHARE

ALIVE_SECONDS: Final = 5
"""A process counts for so long after it was last heard of."""

SHARED_AT_ONCE: Final = 500


class RedisLimits:
    """Counts of all processes of one store; implements the port `SharedCounts`."""

    def __init__(self, address: RedisAddress) -> None:
        """Nothing is opened before the first count."""
        self._address = address
        self._id = os.urandom(8).hex()
        self._link: Link | None = None
        self._lock = asyncio.Lock()

    async def share(self, reports: Sequence[CountReport], now: float) -> SharedTotals:
        """Add what was counted, and say that this process lives. Raises `Unavailable`."""
        try:
            async with self._lock:
                return await self._share(reports, now)
        except (LinkLost, LinkRefused) as error:
            message = f"the counts cannot be shared: {error}"
            raise Unavailable(Reason.STORE_UNAVAILABLE, message) from None

    async def close(self) -> None:
        """Say that this process is gone, and let go of the connection."""
        link, self._link = self._link, None
        if link is None:
            return
        try:
            await link.call("ZREM", redis_keys.PROCESSES, self._id)
        except (LinkLost, LinkRefused):
            return
        finally:
            await link.close()

    async def _share(self, reports: Sequence[CountReport], now: float) -> SharedTotals:
        if self._link is None or not self._link.usable:
            self._link = await open_link(self._address)
        link = self._link
        totals: list[Total] = []
        processes = 1
        for begin in range(0, max(len(reports), 1), SHARED_AT_ONCE):
            some = reports[begin : begin + SHARED_AT_ONCE]
            keys = [redis_keys.PROCESSES, *(redis_keys.limit(each.key) for each in some)]
            words: list[Word] = [self._id, repr(now), ALIVE_SECONDS]
            for each in some:
                words += [each.own, each.rate.seconds]
            processes, *found = await link.run(SHARE, keys, words)
            totals += [
                Total(float(started), int(requests))
                for started, requests in zip(found[::2], found[1::2], strict=True)
            ]
        return SharedTotals(totals, processes)
