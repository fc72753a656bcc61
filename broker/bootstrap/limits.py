"""The rate limits, shared with the other processes of a store."""

import asyncio
from contextlib import AsyncExitStack

from broker.bootstrap.ending import cancel
from broker.core.refusal_counts import RefusalCounts
from broker.grants.limit_sharing import LimitSharing
from broker.grants.rate_limits import RateLimits
from broker.ports import Clock, Measurements
from broker.settings import Settings
from broker.stores.opening import open_shared_counts


async def begin_limits(
    stack: AsyncExitStack,
    settings: Settings,
    counts: RefusalCounts,
    clock: Clock,
    measurements: Measurements,
) -> RateLimits:
    """Begin to share counts with the other processes, if anything is limited."""
    shared_counts = open_shared_counts(settings.store)
    stack.push_async_callback(shared_counts.close)
    sharing = LimitSharing(shared_counts, clock)
    limits = settings.rate_limits
    if limits.any():
        # Known before the first request: how many processes there are.
        await sharing.beat()
        stack.push_async_callback(sharing.close)
        stack.push_async_callback(cancel, asyncio.create_task(sharing.run()))
    return RateLimits(
        sharing,
        counts,
        client=limits.client,
        address=limits.address,
        failed=limits.failed,
        measurements=measurements,
    )
