"""The one connection that a process writes through, and what it knows of the head of the chain."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from broker.core.redis_address import RedisAddress
from broker.core.vocabulary import MAX_LEEWAY
from broker.ports import Clock
from broker.stores import redis_keys
from broker.stores.redis_batch import (
    Batch,
    Gone,
    Head,
    Moved,
    Outcome,
    Written,
    read_head,
    read_outcome,
    words_of,
)
from broker.stores.redis_link import LOST, Command, Link, LinkLost, LinkRefused, open_link
from broker.stores.redis_primary import DAMAGED, Known, Primary, attach
from broker.stores.redis_scripts import WRITE

if TYPE_CHECKING:
    from broker.core.audit_chain import Position

REPLICA_SECONDS: Final = 1.0
"""How long a write may take to come to a replica."""

LOOK_SECONDS: Final = 5.0
"""How long a server is believed to be as it was: who may evict, and which replicas it has."""


class Session:
    """Writes for one process. All methods raise `LinkLost` and `LinkRefused`."""

    def __init__(
        self,
        address: RedisAddress,
        clock: Clock,
        on_new_server: Callable[[], Awaitable[None]],
        *,
        has_begun: bool = False,
    ) -> None:
        """`on_new_server` is called after another connection was made.

        `has_begun` says that the broker has used the store before, and this process is another one.
        """
        self._address = address
        self._clock = clock
        self._on_new_server = on_new_server
        self._has_begun = has_begun
        self._link: Link | None = None
        self._looked_at = float("-inf")
        self._primary = Primary(replicated=False)
        self._head: Head | None = None
        # The last event that was seen in the store, and how far the clocks of issuers are ahead.
        self._last_seen: Position | None = None
        self._ahead = 0
        self._others_write = False
        # Whether the head was told by a batch that was made in vain, a moment ago.
        self._told = False

    async def link(self, *, may_make: bool = False) -> Link:
        """Give the connection, a new one if need be; `may_make` allows a new store."""
        link = self._link
        if link is not None and link.usable:
            if asyncio.get_running_loop().time() - self._looked_at > LOOK_SECONDS:
                await self._look_at(link)
            return link
        self._head = None
        link = await open_link(self._address)
        await self._look_at(link, may_make=may_make)
        self._link = link
        await self._on_new_server()
        return link

    async def _look_at(self, link: Link, *, may_make: bool = False) -> None:
        known = Known(
            issued_until=int(self._clock.now()) + self._ahead,
            last=self._last_seen,
            by_sentinels=self._address.sentinel_name is not None,
            may_make=may_make,
            has_begun=self._has_begun,
        )
        try:
            self._primary = await attach(link, known)
        except BaseException:
            await link.close()
            raise
        if self._primary.may_have_lost:
            self._head = self._last_seen = None
        self._has_begun = True
        self._looked_at = asyncio.get_running_loop().time()

    async def head(self) -> Head:
        """Give the head as it was when it was seen last.

        While others write as well it is another one by now: then it is read anew, which costs far
        less than a batch that is made in vain.
        """
        link = await self.link()
        told, self._told = self._told, False
        if self._head is None or (self._others_write and not told):
            head = await _read_head(link)
            if self._is_behind(head):
                head = await _read_head(await self._looked_at_anew())
            self._others_write = self._head is not None and head != self._head
            self._see(head)
            return head
        return self._head

    def forget_head(self) -> None:
        """Have the head read anew."""
        self._head = None

    async def write(self, batch: Batch) -> Outcome:
        """Write a batch if it fits. An answer that is lost is asked for once more."""
        batch_id = os.urandom(12).hex()
        try:
            outcome = await self._sent(batch, batch_id)
        except LinkLost:
            # The script knows the batch if it has come, and does not write it again.
            self._head = None
            outcome = await self._sent(batch, batch_id)
        except LinkRefused:
            self._head = None
            raise
        if isinstance(outcome, Moved):
            self._others_write = not outcome.spent
            if self._is_behind(outcome.head):
                await self._looked_at_anew()
            else:
                self._see(outcome.head)
                self._told = True
        elif isinstance(outcome, Written):
            self._follow(batch)
        return outcome

    async def settle(self) -> None:
        """Wait until all that the server has now has come as far as a batch has to.

        What is found done already may have been done by who was told that it is not sure.
        """
        await self.link()
        if self._primary.replicated:
            await self.do(("SET", redis_keys.WRITABLE, 1, "PX", 1000))

    async def do(self, *commands: Command) -> list[Any]:
        """Run commands that may run twice, until they have come as far as a batch has to."""
        try:
            return await self._done(commands)
        except LinkLost:
            return await self._done(commands)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._link is not None:
            await self._link.close()

    async def _sent(self, batch: Batch, batch_id: str) -> Outcome:
        link = await self.link()
        keys = [redis_keys.STATE, redis_keys.SPENDS, redis_keys.batch(batch_id)]
        words = words_of(batch, self._clock.now())
        [answer, *behind] = await link.run_and(WRITE, keys, words, *self._waiting())
        outcome = read_outcome(answer, len(batch.spends))
        if outcome is None:
            await link.close()
            raise LinkLost("it answers what no Redis server does")
        if isinstance(outcome, Gone):
            # There may be another store in its place before long.
            self._looked_at = float("-inf")
            raise LinkRefused(LOST)
        if not isinstance(outcome, Moved):
            await self._require_replica(link, behind)
        return outcome

    async def _done(self, commands: Sequence[Command]) -> list[Any]:
        link = await self.link()
        answers = await link.calls([*commands, *self._waiting()])
        await self._require_replica(link, answers[len(commands) :])
        return answers[: len(commands)]

    def _waiting(self) -> Sequence[Command]:
        if not self._primary.replicated:
            return ()
        return (("WAIT", 1, int(REPLICA_SECONDS * 1000)),)

    async def _require_replica(self, link: Link, answers: Sequence[Any]) -> None:
        if all(isinstance(replicas, int) and replicas > 0 for replicas in answers):
            return
        self._head = None
        if self._address.sentinel_name is not None:
            # There may be another primary, which this one does not know of.
            await link.close()
        raise LinkRefused("what was written has come to no replica in time")

    async def _looked_at_anew(self) -> Link:
        """Have the server looked at: it holds an older store than it did."""
        self._head = None
        self._looked_at = float("-inf")
        return await self.link()

    def _is_behind(self, head: Head) -> bool:
        last = self._last_seen
        return last is not None and head.position.sequence < last.sequence

    def _see(self, head: Head) -> None:
        self._head = head
        self._last_seen = head.position

    def _follow(self, batch: Batch) -> None:
        self._last_seen = batch.end or self._last_seen
        now = int(self._clock.now())
        ahead = max((each.issued_at - now for each in batch.spends), default=0)
        self._ahead = min(max(self._ahead, ahead), MAX_LEEWAY)
        head = self._head
        if head is None:
            return
        epoch = head.epoch + 1 if batch.raises_epoch else head.epoch
        self._head = Head(epoch, batch.end or head.position)


async def _read_head(link: Link) -> Head:
    found = await link.call("HMGET", redis_keys.STATE, "epoch", "seq", "hash")
    if None in found:
        raise LinkRefused(LOST)
    try:
        return read_head(*found)
    except ValueError:
        raise LinkRefused(DAMAGED, permanent=True) from None
