"""One-time use and audit event, durable together before a token leaves."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from broker.core.audit import AuditEvent
from broker.core.record import record


@record
class Spend:
    """A one-time use: `key` is a digest, remembered until `expires_at` (epoch seconds)."""

    key: bytes
    expires_at: int
    issued_at: int = 0
    """When what is used was issued, in epoch seconds: a store that may have lost what it remembered
    refuses all that was issued before."""


@record
class Entry:
    """What one decision writes: a spend if the token is for one use, and the event either way."""

    event: AuditEvent
    """Written when there is nothing to spend, or when the spend succeeds."""

    spend: Spend | None = None
    event_if_spent: Callable[[], AuditEvent] | None = None
    """Makes what is written in its place when the spend key was spent before; set whenever `spend`
    is. The store may call it in a thread of its own."""

    epoch: int | None = None
    """The epoch of the state that it was decided by; None for what is true by any state."""


@record
class Committed:
    """The entry is durable; `sequence` is its event's place in the audit chain."""

    sequence: int


@record
class AlreadySpent:
    """The spend key was spent before; the refusal is durable at `sequence`."""

    sequence: int


@record
class Stale:
    """The state has changed since the decision: nothing was written, and it has to be made anew."""


Receipt: TypeAlias = Committed | AlreadySpent | Stale


class Ledger(Protocol):
    """One-time use and audit event become durable together, before a token leaves."""

    async def commit(self, entry: Entry) -> Receipt:
        """Make an entry durable, unless another process has changed the state since its epoch.

        Shielded from a client that disconnects. Raises `Unavailable` (`store_unavailable`).
        """
        ...

    def busy(self) -> bool:
        """Tell whether entries are waiting to become durable."""
        ...


class TokenRecord(Protocol):
    """Which service tokens the broker has issued, and which of them were revoked."""

    async def token_is_active(self, token_id: str, expires_at: int) -> bool:
        """Tell whether a token with this id is on record, and was not revoked.

        The id must have been drawn for the same instant as its event's; `expires_at` is the token's
        `exp`. Raises `Unavailable`.
        """
        ...

    async def event_of_token(self, token_id: str) -> dict[str, Any] | None:
        """Give the event of a token's issue as JSON members. Raises `Unavailable`."""
        ...


class Revocations(Protocol):
    """Where service tokens are revoked."""

    async def revoke_token(self, token_id: str, expires_at: int, event: AuditEvent) -> bool:
        """Revoke a token and record it, both or nothing; tell whether it was not revoked before.

        `expires_at` is the token's `exp`. Raises `Unavailable`.
        """
        ...
