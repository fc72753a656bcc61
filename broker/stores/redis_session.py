"""The one connection that a process writes through, and what it knows of the head of the chain."""

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from broker.core.audit_chain import Position
from broker.core.redis_address import RedisAddress
from broker.ports import Clock, Spend
from broker.stores import redis_keys
from broker.stores.redis_link import LOST, Command, Link, LinkLost, LinkRefused, Word, open_link
from broker.stores.redis_primary import Primary, attach
from broker.stores.redis_scripts import WRITE

REPLICA_SECONDS: Final = 1.0
"""How long a write may take to come to a replica."""

MOST_WORDS: Final = 4000
"""So many words go into one command of a batch; Lua bears twice as many."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a batch is compared with: the state's epoch, and the last event of the chain."""

    epoch: int
    position: Position


@dataclass(frozen=True, slots=True)
class Absent:
    """A batch is not written where this is: a field of a hash, or a member of a sorted set."""

    key: str
    member: Word
    in_hash: bool = True


@dataclass(slots=True)
class Batch:
    """What is written at once, if it still fits."""

    epoch: int | None = None
    """The epoch by which it was made; None for what fits any."""

    behind: Position | None = None
    """The event behind which its events are; None when it has none."""

    spends: Sequence[Spend] = ()
    """What it uses once, none of which may have been used."""

    absent: Sequence[Absent] = ()
    commands: list[Command] = field(default_factory=list)
    end: Position | None = None
    """Its last event."""

    raises_epoch: bool = False

    def raise_epoch(self) -> None:
        """Tell every process of a change."""
        self.commands.append(("HINCRBY", redis_keys.STATE, redis_keys.EPOCH, 1))
        self.raises_epoch = True

    def add(self, name: str, key: str, words: Sequence[Word], *, together: int = 2) -> None:
        """Add a command with any number of words, of which so many belong together."""
        most = MOST_WORDS // together * together
        for begin in range(0, len(words), most):
            self.commands.append((name, key, *words[begin : begin + most]))


@dataclass(frozen=True, slots=True)
class Written:
    """It was written whole."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Nothing was written: the head is another one, or some of what it uses once was used."""

    head: Head
    spent: frozenset[int]
    """The places of these among its spends."""


@dataclass(frozen=True, slots=True)
class There:
    """Nothing was written: something that must be absent is there."""


Outcome: TypeAlias = Written | Moved | There


class Session:
    """Writes for one process. All methods raise `LinkLost` and `LinkRefused`."""

    def __init__(
        self, address: RedisAddress, clock: Clock, on_new_server: Callable[[], Awaitable[None]]
    ) -> None:
        """`on_new_server` is called after another connection was made."""
        self._address = address
        self._clock = clock
        self._on_new_server = on_new_server
        self._link: Link | None = None
        self._primary = Primary(replicated=False)
        self._head: Head | None = None
        self._others_write = False
        # Whether the head was told by a batch that was made in vain, a moment ago.
        self._told = False

    async def link(self, *, may_make: bool = False) -> Link:
        """Give the connection, a new one if need be; `may_make` allows a new store."""
        if self._link is not None and self._link.usable:
            return self._link
        self._head = None
        link = await open_link(self._address)
        try:
            self._primary = await attach(
                link,
                self._clock.now(),
                by_sentinels=self._address.sentinel_name is not None,
                may_make=may_make,
            )
        except BaseException:
            await link.close()
            raise
        self._link = link
        await self._on_new_server()
        return link

    async def head(self) -> Head:
        """Give the head as it was when it was seen last.

        While others write as well it is another one by now: then it is read anew, which costs far
        less than a batch that is made in vain.
        """
        link = await self.link()
        told, self._told = self._told, False
        if self._head is None or (self._others_write and not told):
            fields = ("epoch", "seq", "hash")
            found = await link.call("HMGET", redis_keys.STATE, *fields)
            if None in found:
                raise LinkRefused(LOST)
            head = _head(*found)
            self._others_write = self._head is not None and head != self._head
            self._head = head
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
            self._head = outcome.head
            self._told = True
        elif isinstance(outcome, Written):
            self._follow(batch)
        return outcome

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
        words = _words(batch, self._clock.now())
        [answer, *behind] = await link.run_and(WRITE, keys, words, *self._waiting())
        kind = answer[0].decode()
        if kind == "gone":
            raise LinkRefused(LOST)
        if kind == "moved":
            return Moved(_head(*answer[1:4]), frozenset(answer[4]))
        if kind == "there":
            return There()
        self._require_replica(behind)
        return Written()

    async def _done(self, commands: Sequence[Command]) -> list[Any]:
        link = await self.link()
        answers = await link.calls([*commands, *self._waiting()])
        self._require_replica(answers[len(commands) :])
        return answers[: len(commands)]

    def _waiting(self) -> Sequence[Command]:
        if not self._primary.replicated:
            return ()
        return (("WAIT", 1, int(REPLICA_SECONDS * 1000)),)

    def _require_replica(self, answers: Sequence[int]) -> None:
        if answers and answers[0] < 1:
            self._head = None
            raise LinkRefused("what was written has come to no replica in time")

    def _follow(self, batch: Batch) -> None:
        head = self._head
        if head is None:
            return
        epoch = head.epoch + 1 if batch.raises_epoch else head.epoch
        self._head = Head(epoch, batch.end or head.position)


def _head(epoch: bytes, sequence: bytes, event_hash: bytes) -> Head:
    return Head(int(epoch), Position(int(sequence), event_hash.decode()))


def _words(batch: Batch, now: float) -> list[Word]:
    behind = batch.behind
    words: list[Word] = ["" if batch.epoch is None else batch.epoch]
    words += ["", ""] if behind is None else [behind.sequence, behind.hash]
    words.append(len(batch.spends))
    for spend in batch.spends:
        # One counts for as long as it is not over, and against its own token for ever: the clock
        # may have been set since the token was judged.
        ends = min(int(now), spend.expires_at)
        words += [spend.key, ends, spend.expires_at, spend.issued_at]
    words.append(len(batch.absent))
    for each in batch.absent:
        words += ["h" if each.in_hash else "z", each.key, each.member]
    words.append(len(batch.commands))
    for command in batch.commands:
        words += [len(command), *command]
    return words
