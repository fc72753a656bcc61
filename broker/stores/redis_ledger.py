"""Entries and events made into a batch: put behind the head of the chain, and indexed."""

from collections.abc import Sequence
from typing import Final

from broker.core.audit import AuditEvent, ChainedEvent, SerializedEvent
from broker.core.audit_chain import Position
from broker.core.record import record
from broker.ports import AlreadySpent, Committed, Entry, Receipt, Spend, Stale
from broker.stores import redis_keys
from broker.stores.redis_batch import Batch, Head
from broker.stores.redis_stored_events import packed

# Which facts events are found by. The most frequent type and outcome are in none, since each costs
# on every exchange.
INDEXED: Final = ("service_account", "type", "reason", "outcome", "issuer")
UNINDEXED: Final = frozenset({("type", "token.exchanged"), ("outcome", "success")})


@record
class PendingEntry:
    """An entry that waits for its batch, its event already written out as JSON."""

    entry: Entry
    event: SerializedEvent

    @classmethod
    def of(cls, entry: Entry) -> "PendingEntry":
        """Prepare an entry. Raises `ValueError` for a spend without an event if it was spent."""
        if entry.spend is not None and entry.event_if_spent is None:
            raise ValueError("an entry with a spend needs an event_if_spent")
        return cls(entry, SerializedEvent.of(entry.event))


class EventAppending:
    """Appends events to a batch, behind the head."""

    def __init__(self, batch: Batch, behind: Position) -> None:
        self.events: list[ChainedEvent] = []
        self._batch = batch
        self._behind = behind
        self._last = behind
        self._texts: list[str | bytes] = []
        self._ids: list[str | int] = []
        self._facts: dict[str, list[int]] = {}
        self._policy_sets: dict[str, int] = {}

    def append(self, event: AuditEvent, serialized: SerializedEvent) -> int:
        """Put an event behind the last one; give its number."""
        chained = serialized.at(self._last.sequence + 1, self._last.hash)
        sequence = chained.sequence
        self._last = Position(sequence, chained.hash)
        self.events.append(chained)
        self._texts += [
            redis_keys.event(sequence),
            packed(chained.hash, serialized.claims, chained.covered),
        ]
        self._ids += [0, f"{event.id}|{sequence}"]
        for fact in INDEXED:
            value = getattr(event, fact)
            if value is not None and (fact, value) not in UNINDEXED:
                key = redis_keys.events_by(fact, value)
                self._facts.setdefault(key, []).extend((sequence, sequence))
        if event.policy_set is not None:
            self._policy_sets[event.policy_set] = sequence
        return sequence

    def finish(self) -> None:
        """Put the commands into the batch."""
        if not self.events:
            return
        batch, last = self._batch, self._last
        batch.behind, batch.end = self._behind, last
        batch.commands.append(("MSET", *self._texts))
        batch.add("ZADD", redis_keys.EVENT_IDS, self._ids)
        for key, numbers in self._facts.items():
            batch.add("ZADD", key, numbers)
        named = [word for each in self._policy_sets.items() for word in each]
        batch.add("HSET", redis_keys.NAMED_SETS, named)
        batch.commands.append(("HSET", redis_keys.STATE, "seq", last.sequence, "hash", last.hash))


@record
class Prepared:
    """A batch of entries, and what each will have become when it is written."""

    batch: Batch
    receipts: Sequence[Receipt | Exception]
    """An exception is that of one entry, which is left out."""

    events: Sequence[ChainedEvent]


def prepare(pending: Sequence[PendingEntry], head: Head, spent: set[bytes]) -> Prepared:
    """Make a batch, first come first served; `spent` are keys that are known to be used."""
    batch = Batch()
    appending = EventAppending(batch, head.position)
    receipts: list[Receipt | Exception] = []
    fresh: dict[bytes, Spend] = {}
    for each in pending:
        entry, spend = each.entry, each.entry.spend
        if entry.epoch is not None:
            # Whether it is the current one or not is compared by the server.
            batch.epoch = head.epoch
            if entry.epoch != head.epoch:
                receipts.append(Stale())
                continue
        if spend is None:
            receipts.append(Committed(appending.append(entry.event, each.event)))
        elif spend.key in spent or spend.key in fresh:
            try:
                refusal = entry.event_if_spent() if entry.event_if_spent else entry.event
                serialized = SerializedEvent.of(refusal)
            except Exception as error:  # noqa: BLE001 - raised where the entry comes from
                receipts.append(error)
                continue
            receipts.append(AlreadySpent(appending.append(refusal, serialized)))
        else:
            fresh[spend.key] = spend
            receipts.append(Committed(appending.append(entry.event, each.event)))
    batch.spends = list(fresh.values())
    ends = [word for spend in batch.spends for word in (spend.expires_at, spend.key)]
    batch.add("ZADD", redis_keys.SPENDS, ends)
    appending.finish()
    return Prepared(batch, receipts, appending.events)
