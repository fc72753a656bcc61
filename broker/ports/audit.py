"""The audit events on record: reading them, and letting go of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from broker.core.audit_chain import ChainReport, Position, StoredEvent
from broker.core.instances import account_of


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which audit events are wanted; None asks for any. Times are seconds since the epoch."""

    decision_id: str | None = None
    service_account: str | None = None
    sub: str | None = None
    """Whose tokens: the account, or one instance of it."""

    issuer: str | None = None
    type: str | None = None
    outcome: str | None = None
    reason: str | None = None
    policy: str | None = None
    """Among those that decided."""

    since: float | None = None
    until: float | None = None
    """The first instant that is not wanted any more."""

    service_accounts: tuple[str, ...] | None = None
    """The accounts of which the events have to be, whatever else is asked for."""

    def of(self, account: str | None) -> "EventFilter":
        """Want only the events of an account, or of one instance of it; None leaves all."""
        if account is None:
            return self
        name = account_of(account)
        return replace(self, service_account=name, sub=None if name == account else account)


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, the newest first."""

    events: tuple[StoredEvent, ...]
    next_behind: str | None
    """The position behind which the next page begins; None when nothing is left to look at.

    What is looked at for one page is bounded, so that one with few events or none may have a next.
    """


@dataclass(frozen=True, slots=True)
class ChainPage:
    """A part of the chain, as it was at one moment."""

    beginning: str | None
    """What was signed when the chain was pruned last; None when it never was."""

    events: tuple[StoredEvent, ...]
    """In the order of their numbers."""


class AuditLog(Protocol):
    """The audit events on record, for reading."""

    async def find_events(
        self, wanted: EventFilter, *, after: int = 0, limit: int = 100
    ) -> list[StoredEvent]:
        """Find events behind the one with the number `after`, oldest first.

        At most `limit`; the number of the last one is where the next page goes on. Raises
        `Unavailable`.
        """
        ...

    async def event_page(
        self, wanted: EventFilter, *, behind: str | None = None, limit: int = 100
    ) -> EventPage:
        """Find the newest events, or those behind a position of the same search, at most `limit`.

        In the order of the chain, or of their times where `wanted` bounds these. Raises
        `ValueError` for what is no position, and `Unavailable`.
        """
        ...

    async def chain_page(self, after: int, limit: int) -> ChainPage:
        """Read the chain from behind an event on, whatever is in it. Raises `Unavailable`."""
        ...

    async def chain_end(self) -> Position | None:
        """Find the last event; None when there is none. Raises `Unavailable`."""
        ...


class AuditVerification(Protocol):
    """Whether the chain of the events on record is whole."""

    async def verify(self) -> ChainReport:
        """Follow the whole chain. Raises `Unavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class ClaimsFilter:
    """Of which events the claims are meant: of those for which all holds that is set."""

    decision_id: str | None = None
    before: float | None = None
    """Events of before this instant, in seconds since the epoch."""

    claim: tuple[str, str] | None = None
    """A claim by name, and the text that it has."""


class AuditRetention(Protocol):
    """Letting go of what is no longer to be kept. Every method raises `Unavailable`."""

    async def prune_events(self, last: Position, beginning: str) -> int:
        """Delete the events up to `last` and keep `beginning`, which says so, in their place.

        The last event of all stays: the chain goes on behind it. Gives how many were deleted; none
        when `last` is not an event of the chain or no event is behind it.
        """
        ...

    async def forget_policy_sets(self, keep: int) -> int:
        """Delete the kept sets that no event names, but never the `keep` that ran last."""
        ...

    async def events_with_claims(self, wanted: ClaimsFilter) -> list[int]:
        """Name the events whose claims are meant, by their numbers, oldest first."""
        ...

    async def erase_claims(self, sequences: Sequence[int]) -> int:
        """Erase the claims of some events, as many as are worth one transaction; tell of how many.

        Their digest stays, so that the chain holds. Called with none, it clears what the store may
        still hold of claims beside its events.
        """
        ...
