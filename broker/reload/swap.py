"""Putting a policy set in force: kept, recorded, then decided by, in this order."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from broker.core.audit import AuditEvent
from broker.core.decision import IndexedPolicies
from broker.core.policy import PolicySet
from broker.ports import Entry, Ledger
from broker.reload.held import HeldPolicies
from broker.reload.kept_sets import KeptSets
from broker.reload.reading import LoadedSet
from broker.reload.retirement import let_go
from broker.reload.slices import finish_in_slices

logger = logging.getLogger(__name__)


class PolicySwap:
    """Exchanges the policy set in force; `swapped` is called with every one that came."""

    def __init__(
        self,
        held: HeldPolicies,
        kept: KeptSets,
        ledger: Ledger,
        swapped: Callable[[IndexedPolicies], Awaitable[None]],
    ) -> None:
        self._held = held
        self._kept = kept
        self._ledger = ledger
        self._swapped = swapped
        self._retiring: set[asyncio.Task[None]] = set()

    def in_force(self) -> PolicySet:
        """Give the set that decides now."""
        return self._held.current().policy_set

    async def put_in_force(self, loaded: LoadedSet, event: AuditEvent | None) -> None:
        """Keep a set, record the event, and let the set decide.

        No decision ever refers to a set that cannot be found. Raises `Unavailable`; then the set of
        before goes on deciding.
        """
        await self._kept.keep(loaded)
        if event is not None:
            await self._ledger.commit(Entry(event))
        await self.replace(loaded.policy_set)
        for test in loaded.lapsed:
            logger.warning("a test of the policies has lapsed", extra=test)

    async def replace(self, policy_set: PolicySet) -> None:
        """Let a set decide that was kept before."""
        policies = await finish_in_slices(IndexedPolicies.in_steps(policy_set))
        retired = asyncio.create_task(let_go(self._held.current()))
        self._retiring.add(retired)
        retired.add_done_callback(self._retiring.discard)
        self._held.replace(policies)
        await self._swapped(policies)

    async def close(self) -> None:
        """Stop waiting for the last requests of retired sets."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
