"""What is written to a Redis store at once, and what becomes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from broker.core.audit_chain import Position
from broker.ports import Spend
from broker.stores import redis_keys
from broker.stores.redis_link import Command, Word

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


@dataclass(frozen=True, slots=True)
class Gone:
    """Nothing was written: there is no store any more."""


Outcome: TypeAlias = Written | Moved | There


def read_head(epoch: bytes, sequence: bytes, event_hash: bytes) -> Head:
    """Read a head as it lies in the store. Raises `ValueError`."""
    return Head(int(epoch), Position(int(sequence), event_hash.decode()))


def read_outcome(answer: object, spends: int) -> Outcome | Gone | None:
    """Read what the script tells; None for what it never does."""
    match answer:
        case [b"done"]:
            return Written()
        case [b"there"]:
            return There()
        case [b"gone"]:
            return Gone()
        case [b"moved", bytes(epoch), bytes(sequence), bytes(event_hash), list(spent)]:
            try:
                head = read_head(epoch, sequence, event_hash)
            except ValueError:
                return None
            return Moved(head, frozenset(spent)) if set(spent) <= set(range(spends)) else None
    return None


def words_of(batch: Batch, now: float) -> list[Word]:
    """Write a batch out for the script; `now` is in seconds since the epoch."""
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
