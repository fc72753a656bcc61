"""Putting a policy set in force: kept, recorded, then decided by, in this order."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from broker.core.audit import AuditEvent
from broker.core.errors import Reason, Unavailable
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import PolicySet
from broker.ports import Entry, Ledger
from broker.reload.held import HeldPolicies
from broker.reload.kept_sets import KeptSets
from broker.reload.reading import LoadedSet
from broker.reload.retirement import let_go
from broker.reload.slices import finish_in_slices, serving

logger = logging.getLogger(__name__)


class Followers(Protocol):
    """The other workers of this broker, whose policies follow those of this one."""

    async def stage(self, loaded: LoadedSet, *, at_once: bool = False) -> None:
        """Have them make a set ready, or show it `at_once` when it decides like the one in force.

        Returns when they have, or are late: then they read it from the store.
        """
        ...

    async def look(self) -> None:
        """Have them look at the store now; returns when they have, or are late."""
        ...


class NoFollowers:
    """There is no other worker; implements `Followers`."""

    async def stage(self, loaded: LoadedSet, *, at_once: bool = False) -> None:
        """Do nothing."""

    async def look(self) -> None:
        """Do nothing."""


class PolicySwap:
    """Exchanges the policy set in force; `swapped` is called with every one that came."""

    def __init__(
        self,
        held: HeldPolicies,
        kept: KeptSets,
        ledger: Ledger,
        swapped: Callable[[IndexedPolicies], Awaitable[None]],
        followers: Followers | None = None,
    ) -> None:
        self._held = held
        self._kept = kept
        self._ledger = ledger
        self._swapped = swapped
        self._followers = followers or NoFollowers()
        self._staged: IndexedPolicies | None = None
        self._lock = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()

    def in_force(self) -> PolicySet:
        """Give the set that decides now."""
        return self._held.current().policy_set

    async def put_in_force(
        self, loaded: LoadedSet, event: AuditEvent | None, new_ids: Sequence[str] = ()
    ) -> bool:
        """Keep a set, record the event, and let the set decide; tell whether it does.

        It does not when one of its `new_ids` has meanwhile been given to an account that was made.
        No decision ever refers to a set that cannot be found. Raises `Unavailable`; then the set of
        before goes on deciding.
        """
        # Made before it is kept: from then on, every process waits for the new set.
        policies = await self._indexed(loaded.policy_set)
        await self._followers.stage(loaded)
        async with self._lock:
            if not await self._kept.keep(loaded, new_ids):
                return False
            if event is not None:
                await self._ledger.commit(Entry(event))
            await self._install(policies)
        await self._followers.look()
        for test in loaded.lapsed:
            logger.warning("a test of the policies has lapsed", extra=test)
        return True

    async def follow(self) -> None:
        """Let the set decide that another process has put in force.

        Raises `Unavailable` when it cannot be read: the set of before must not decide any longer.
        """
        async with self._lock:
            version = await self._kept.last_version()
            if version in (None, self.in_force().version):
                return
            staged, self._staged = self._staged, None
            if staged is not None and staged.policy_set.version == version:
                await self._install(staged)
                return
            last = await self._kept.last(at_start=False)
            if last is None:
                raise Unavailable(Reason.STORE_UNAVAILABLE, "the policies cannot be read")
            await self._install(await self._indexed(last.policy_set))
            logger.info("policy set %s is in force here, too", last.policy_set.version)

    async def replace(self, loaded: LoadedSet) -> None:
        """Let a set decide that was kept before."""
        await self._install(await self._indexed(loaded.policy_set))
        await self._followers.stage(loaded, at_once=True)

    async def stage(self, policy_set: PolicySet, *, at_once: bool) -> None:
        """Make a set ready that another process is about to put in force.

        With `at_once` it decides from now on, if it does so as the one in force.
        """
        staged = await self._indexed(policy_set)
        async with self._lock:
            if not at_once:
                self._staged = staged
            elif policy_set.version == self.in_force().version:
                await self._install(staged)

    async def _indexed(self, policy_set: PolicySet) -> IndexedPolicies:
        return await finish_in_slices(
            IndexedPolicies.in_steps(policy_set), partial(serving, self._ledger)
        )

    async def _install(self, policies: IndexedPolicies) -> None:
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
