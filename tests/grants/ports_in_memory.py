"""The ports of the grants in memory, each with trouble on demand."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from broker.core.audit import AuditEvent
from broker.core.errors import Reason, SubjectTokenRefused, Unavailable
from broker.core.indexed_policies import IndexedPolicies
from broker.core.issuer_keys import IssuerKeySet, VerificationKey
from broker.core.limits import Total, added
from broker.core.policy import Issuer
from broker.core.signing_keys import SigningKey, SigningKeySet
from broker.ports import (
    AlreadySpent,
    Committed,
    CountReport,
    Entry,
    Receipt,
    SharedTotals,
    Stale,
)
from broker.testing import FrozenClock


@dataclass
class InMemoryLedger:
    """Spends and events as they were committed; `in_trouble` refuses whatever comes."""

    events: list[AuditEvent] = field(default_factory=list)
    spends: dict[bytes, int] = field(default_factory=dict)
    in_trouble: bool = False
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    epoch: int = 1

    async def commit(self, entry: Entry) -> Receipt:
        if self.in_trouble:
            raise Unavailable(Reason.STORE_UNAVAILABLE, "the store cannot be written")
        if entry.epoch not in (None, self.epoch):
            return Stale()
        if entry.spend is not None and entry.spend.key in self.spends:
            assert entry.event_if_spent is not None
            self.events.append(entry.event_if_spent())
            return AlreadySpent(len(self.events))
        if entry.spend is not None:
            self.spends[entry.spend.key] = entry.spend.expires_at
        self.events.append(entry.event)
        self.committed.set()
        return Committed(len(self.events))

    def busy(self) -> bool:
        return False


@dataclass
class FollowedState:
    """The state of a ledger; `changes` happen in what this process holds when it catches up.

    One that is `behind` never catches up.
    """

    ledger: InMemoryLedger
    held: int = 1
    behind: int = 0
    changes: list[Callable[[], None]] = field(default_factory=list)

    def epoch(self) -> int:
        return self.held

    async def refresh(self) -> None:
        for change in self.changes:
            change()
        self.held = self.ledger.epoch - self.behind


@dataclass
class HeldPolicies:
    """The policy set that a test gives."""

    held: IndexedPolicies

    def current(self) -> IndexedPolicies:
        return self.held


@dataclass
class HeldIssuerKeys:
    """The keys of each issuer by its name; finding one takes `seconds` of the clock."""

    clock: FrozenClock
    held: dict[str, IssuerKeySet]
    asked: list[tuple[str, str]] = field(default_factory=list)
    away: bool = False
    seconds: float = 0.0

    async def find(self, issuer: Issuer, key_id: str) -> VerificationKey:
        self.asked.append((issuer.name, key_id))
        self.clock.advance(self.seconds)
        if self.away:
            raise Unavailable(Reason.ISSUER_UNAVAILABLE, "its keys cannot be fetched now")
        key = self.held[issuer.name].keys.get(key_id)
        if key is None:
            raise SubjectTokenRefused(Reason.KEY_NOT_FOUND, "no such key")
        return key


@dataclass
class HeldSigningKeys:
    """The broker's own keys."""

    held: SigningKeySet

    def current(self) -> SigningKeySet:
        return self.held

    def signing_key(self, algorithm: str, now: float) -> SigningKey:
        key = self.held.signing_key(algorithm, now)
        if key is None:
            raise Unavailable(Reason.STORE_UNAVAILABLE, "no key signs now")
        return key

    def can_sign(self, now: float) -> bool:
        return bool(self.held.algorithms(now))


@dataclass
class InMemoryCounts:
    """Counts of several processes; `in_trouble` refuses whatever comes."""

    totals: dict[bytes, Total] = field(default_factory=dict)
    processes: int = 1
    shared: int = 0
    in_trouble: bool = False
    turns: int = 1
    """How many turns of the event loop it takes."""

    async def share(self, reports: Sequence[CountReport], now: float) -> SharedTotals:
        for _ in range(self.turns):
            await asyncio.sleep(0)
        if self.in_trouble:
            raise Unavailable(Reason.STORE_UNAVAILABLE, "the counts cannot be written")
        self.shared += len(reports)
        for each in reports:
            self.totals[each.key] = added(self.totals.get(each.key), each.own, each.rate, now)
        return SharedTotals([self.totals[each.key] for each in reports], self.processes)


@dataclass
class NumberedIdentifiers:
    """Identifiers that sort in the order they were drawn in."""

    drawn: int = 0

    def new(self, _now: float) -> str:
        self.drawn += 1
        return f"id-{self.drawn:06}"
