"""The policy sets that ran: kept under seal, made again when they are asked for."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from broker.core.policy import PolicySet
from broker.ports import Clock, PolicySetReading, PolicySetStore
from broker.reload.reading import LoadedSet, PolicyReader
from broker.reload.seal import Seal
from broker.reload.sources import PolicySources

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptSetsReading:
    """What the store keeps of policy sets, as sets again.

    One whose seal or version does not fit counts as absent.
    """

    store: PolicySetReading
    seal: Seal
    reader: PolicyReader

    async def last_version(self) -> str | None:
        """Name the set that ran last. Raises `Unavailable`."""
        kept = await self.store.last_policy_set()
        return kept.version if kept else None

    async def last(self, *, at_start: bool = True) -> LoadedSet | None:
        """Make the set again that ran last, under the parameters of today. Raises `Unavailable`."""
        kept = await self.store.last_policy_set()
        if kept is None:
            return None
        return await self._rebuilt(kept.version, kept.content, again=True, at_start=at_start)

    async def find(self, version: str, *, at_start: bool = False) -> PolicySet | None:
        """Make a set again as it ran, for whoever explains an old decision.

        With `at_start` in this process, which serves nobody yet. Raises `Unavailable`.
        """
        content = await self.store.policy_set(version)
        if content is None:
            return None
        loaded = await self._rebuilt(version, content, at_start=at_start)
        return loaded.policy_set if loaded else None

    async def sources(self, version: str) -> PolicySources | None:
        """Give what a set was made of. Raises `Unavailable`."""
        content = await self.store.policy_set(version)
        packed = None if content is None else self.seal.take_off(version, content)
        return None if packed is None else await asyncio.to_thread(PolicySources.unpack, packed)

    async def _rebuilt(
        self, version: str, content: bytes, *, again: bool = False, at_start: bool = False
    ) -> LoadedSet | None:
        packed = self.seal.take_off(version, content)
        if packed is None:
            logger.error("policy set %s in the store was altered, or sealed elsewhere", version)
            return None
        outcome = await self.reader.rebuild(version, packed, again=again, at_start=at_start)
        if isinstance(outcome, LoadedSet):
            return outcome
        logger.error("policy set %s does not load again: %s", version, outcome.problems[0])
        return None


@dataclass(frozen=True, slots=True)
class KeptSets(KeptSetsReading):
    """The same, for the broker that runs them."""

    store: PolicySetStore
    clock: Clock

    async def keep(self, loaded: LoadedSet, new_ids: Sequence[str] = ()) -> bool:
        """Keep a set as the last that ran, unless one of its `new_ids` was given; tell whether.

        Raises `Unavailable`.
        """
        version = loaded.policy_set.version
        sealed = self.seal.put_on(version, loaded.packed)
        now = self.clock.now()
        return await self.store.keep_policy_set(version, sealed, now, new_ids=new_ids)
