"""What the grants need from the outside world; `stores`, `issuer_keys` and `signing` provide it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from broker.core.audit import AuditEvent
from broker.core.decision import IndexedPolicies
from broker.core.errors import Problem
from broker.core.issuer_keys import VerificationKey
from broker.core.policy import Issuer, PolicySet
from broker.core.policy_changes import PolicyChanges
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


@dataclass(frozen=True, slots=True)
class PolicyFault:
    """Why the policy files are not in force, while an earlier set goes on deciding."""

    since: float
    """Seconds since the epoch."""

    problems: tuple[Problem, ...]
    """The first of them."""

    count: int
    """How many there are."""


class PolicyStatus(Protocol):
    """Whether what decides is what the policy files say."""

    def fault(self) -> PolicyFault | None:
        """Tell why it is not; None when it is."""
        ...


@dataclass(frozen=True, slots=True)
class Reloaded:
    """Another set is in force."""

    changes: PolicyChanges


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The files say what is in force already."""

    version: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The set `version` stays in force; `problems` are the first of `count`."""

    version: str
    problems: tuple[Problem, ...]
    count: int


ReloadOutcome: TypeAlias = Reloaded | Unchanged | Rejected


class PolicyReloading(Protocol):
    """Putting the policy files in force, all at once or not at all."""

    async def reload(self, *, forced: bool, actor: str) -> ReloadOutcome:
        """Read the files and put them in force, if they are good and nothing speaks against it.

        `forced` also takes a set that is empty or drops a deny policy; `actor` goes into the audit.
        Raises `Unavailable`.
        """
        ...


class PolicyHistory(Protocol):
    """The policy sets that ran."""

    async def find(self, version: str) -> PolicySet | None:
        """Find a set as it ran. Raises `Unavailable`."""
        ...


class State(Protocol):
    """What this process holds in memory of the store: policies, keys and all else that decides.

    Every change in the store raises the store's epoch; what is held was read at an epoch.
    """

    def epoch(self) -> int:
        """Give the epoch at which all that is held was current."""
        ...

    async def refresh(self) -> None:
        """Read anew whatever changed since. Raises `Unavailable`."""
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
    event_if_spent: Callable[[], AuditEvent] | None = None
    """Makes what is written in its place when the spend key was spent before; set whenever `spend`
    is. The store may call it in a thread of its own."""

    epoch: int | None = None
    """The epoch of the state that it was decided by; None for what is true by any state."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The entry is durable; `sequence` is its event's place in the audit chain."""

    sequence: int


@dataclass(frozen=True, slots=True)
class AlreadySpent:
    """The spend key was spent before; the refusal is durable at `sequence`."""

    sequence: int


@dataclass(frozen=True, slots=True)
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


class TokenRecord(Protocol):
    """Which service tokens the broker has issued."""

    async def token_was_issued(self, token_id: str) -> bool:
        """Tell whether a token with this id is on record.

        The id must have been drawn for the same instant as its event's. Raises `Unavailable`.
        """
        ...


class StateEpoch(Protocol):
    """How often what decides has changed: policies, keys, over all processes of a store."""

    async def state_epoch(self) -> int:
        """Read the epoch, which every such change raises in its own transaction.

        Raises `Unavailable`.
        """
        ...


class SealedRows(Protocol):
    """Named rows of the broker's own, sealed under the master key by whoever writes them."""

    async def sealed_row(self, name: str) -> bytes | None:
        """Find the content of a row. Raises `Unavailable`."""
        ...

    async def add_sealed_row(self, name: str, content: bytes) -> bool:
        """Insert a row unless there is one of this name; tell whether it was inserted.

        Raises `Unavailable`.
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


@dataclass(frozen=True, slots=True)
class KeptPolicySet:
    """A policy set that ran, as the store keeps it: sealed under the master key."""

    version: str
    content: bytes


class PolicySetStore(Protocol):
    """Where every policy set that ran is kept, once, under its version."""

    async def keep_policy_set(self, version: str, content: bytes, now: float) -> None:
        """Keep a set as the last that ran; the content of one kept before is replaced.

        `now` is in seconds since the epoch. Raises `Unavailable`.
        """
        ...

    async def policy_set(self, version: str) -> bytes | None:
        """Find the content of a kept set. Raises `Unavailable`."""
        ...

    async def last_policy_set(self) -> KeptPolicySet | None:
        """Find the set that came into force last. Raises `Unavailable`."""
        ...


class Store(Ledger, StateEpoch, SigningKeyStore, SealedRows, TokenRecord, PolicySetStore, Protocol):
    """A whole store."""

    async def ready(self) -> bool:
        """Tell whether the store can be written now."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go."""
        ...
