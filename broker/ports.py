"""What the grants need from the outside world; `stores`, `issuer_keys` and `signing` provide it."""

from dataclasses import dataclass
from typing import Protocol

from broker.core.audit import AuditEvent
from broker.core.decision import IndexedPolicies
from broker.core.issuer_keys import VerificationKey
from broker.core.policy import Issuer
from broker.core.signing_keys import SigningKey, SigningKeySet, SigningSchedule


class Clock(Protocol):
    """The time."""

    def now(self) -> float:
        """Give the seconds since the epoch."""
        ...


class Identifiers(Protocol):
    """Fresh random identifiers: decisions and tokens, at least 128 bits, sortable by time."""

    def new(self, now: float) -> str:
        """Draw one."""
        ...


class PolicySource(Protocol):
    """The policy set in force."""

    def current(self) -> IndexedPolicies:
        """Give the set that decides from now on."""
        ...


class IssuerKeySource(Protocol):
    """The public keys of the configured issuers."""

    async def find(self, issuer: Issuer, key_id: str) -> VerificationKey:
        """Find a key of this issuer by its exact `kid`.

        Raises `SubjectTokenRefused` (`key_not_found`) and `Unavailable` (`issuer_unavailable`).
        """
        ...


class SigningKeySource(Protocol):
    """The broker's own keys."""

    def current(self) -> SigningKeySet:
        """Give the keys as last read from the store."""
        ...

    def signing_key(self, algorithm: str, now: float) -> SigningKey:
        """Find the key that signs now. Raises `Unavailable` (`store_unavailable`)."""
        ...


@dataclass(frozen=True, slots=True)
class Spend:
    """A one-time use: `key` is a digest, remembered until `expires_at` (epoch seconds)."""

    key: bytes
    expires_at: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What one decision writes: a spend if the token is for one use, and the event either way."""

    event: AuditEvent
    """Written when there is nothing to spend, or when the spend succeeds."""

    spend: Spend | None = None
    event_if_spent: AuditEvent | None = None
    """Written in its place when the spend key was spent before; set whenever `spend` is."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The entry is durable; `sequence` is its event's place in the audit chain."""

    sequence: int


@dataclass(frozen=True, slots=True)
class AlreadySpent:
    """The spend key was spent before; the refusal is durable at `sequence`."""

    sequence: int


class Ledger(Protocol):
    """One-time use and audit event become durable together, before a token leaves."""

    async def commit(self, entry: Entry) -> Committed | AlreadySpent:
        """Make an entry durable.

        Shielded from a client that disconnects. Raises `Unavailable` (`store_unavailable`).
        """
        ...


class TokenRecord(Protocol):
    """Which service tokens the broker has issued."""

    async def token_was_issued(self, token_id: str) -> bool:
        """Tell whether a token with this id is on record.

        The id must have been drawn for the same instant as its event's. Raises `Unavailable`.
        """
        ...


@dataclass(frozen=True, slots=True)
class SigningKeyRow:
    """A signing key as the store keeps it: the private part wrapped under the master key."""

    key_id: str
    algorithm: str
    generation: int
    schedule: SigningSchedule
    wrapped: bytes


class SigningKeyStore(Protocol):
    """Where the broker's own keys live."""

    async def signing_key_rows(self) -> list[SigningKeyRow]:
        """List every row. Raises `Unavailable`."""
        ...

    async def add_signing_key_row(self, row: SigningKeyRow) -> bool:
        """Insert a row unless its algorithm and generation exist; tell whether it was inserted."""
        ...


class Store(Ledger, SigningKeyStore, TokenRecord, Protocol):
    """A whole store."""

    async def ready(self) -> bool:
        """Tell whether the store can be written now."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go."""
        ...
