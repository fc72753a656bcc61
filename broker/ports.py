"""What the grants need from the outside world; `stores`, `issuer_keys` and `signing` provide it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from broker.core.audit import AuditEvent, rfc3339
from broker.core.audit_chain import Position, StoredEvent
from broker.core.decision import IndexedPolicies
from broker.core.errors import Problem
from broker.core.issuer_keys import VerificationKey
from broker.core.policy import Issuer, PolicySet
from broker.core.policy_changes import PolicyChanges
from broker.core.signing_keys import KeyState, SigningKey, SigningKeySet, SigningSchedule


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

    def can_sign(self, now: float) -> bool:
        """Tell whether anything can be signed now."""
        ...


@dataclass(frozen=True, slots=True)
class ListedKey:
    """What is told of a signing key: nothing of its private part."""

    key_id: str
    algorithm: str
    generation: int
    state: KeyState | None
    """None for a row that cannot be read: it counts as absent."""

    schedule: SigningSchedule

    def members(self) -> dict[str, Any]:
        """Give what is shown of it as JSON members."""
        return {
            "kid": self.key_id,
            "alg": self.algorithm,
            "generation": self.generation,
            "state": self.state or "unreadable",
            **self.schedule.times(),
        }


@dataclass(frozen=True, slots=True)
class Succession:
    """Which key of an algorithm follows which, and when."""

    algorithm: str
    key_id: str
    """The key that signs from `sign_from` on."""

    before: str | None
    """The key that signs, or has signed, until then."""

    sign_from: float
    """Seconds since the epoch."""

    def members(self) -> dict[str, Any]:
        """Give what is shown of it as JSON members."""
        return {
            "alg": self.algorithm,
            "kid": self.key_id,
            "before": self.before,
            "sign_from": rfc3339(self.sign_from),
        }


class SigningKeyOperations(Protocol):
    """What operators do with the broker's own keys; `actor` goes into the audit."""

    async def listed(self) -> list[ListedKey]:
        """List the keys by algorithm, the oldest first. Raises `Unavailable`."""
        ...

    async def rotate(self, *, at_once: bool, actor: str) -> list[Succession]:
        """Let the standbys sign as soon as every verifier knows them, or at once.

        Raises `Unavailable`.
        """
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

    def busy(self) -> bool:
        """Tell whether entries are waiting to become durable."""
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


class SealedRowReading(Protocol):
    """Named rows of the broker's own, sealed under the master key by whoever writes them."""

    async def sealed_row(self, name: str) -> bytes | None:
        """Find the content of a row. Raises `Unavailable`."""
        ...


class SealedRows(SealedRowReading, Protocol):
    """The same, for whoever writes them."""

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


@dataclass(frozen=True, slots=True)
class SigningKeyChange:
    """What becomes of the signing keys, planned by the rows of one epoch."""

    epoch: int
    put: tuple[SigningKeyRow, ...]
    """Rows that are new, or take the place of the same key's."""

    removed: tuple[SigningKeyRow, ...]
    events: tuple[AuditEvent, ...]


class SigningKeyReading(Protocol):
    """The broker's own keys, as they lie in the store."""

    async def signing_key_rows(self) -> list[SigningKeyRow]:
        """List every row. Raises `Unavailable`."""
        ...


class SigningKeyStore(SigningKeyReading, Protocol):
    """Where the broker's own keys live."""

    async def change_signing_keys(self, change: SigningKeyChange) -> bool:
        """Make a change and record its events in one transaction; tell whether it was made.

        It is not when the state has changed since its epoch, or when another key has the place of
        one that it puts. Raises `Unavailable`.
        """
        ...


@dataclass(frozen=True, slots=True)
class RowsUnderMasterKey:
    """All that a store holds and that only the master key opens."""

    signing_keys: tuple[SigningKeyRow, ...]
    sealed: Mapping[str, bytes]
    """The sealed rows by name."""

    policy_sets: Mapping[str, bytes]
    """The kept policy sets by version."""


class RewrappingStore(Protocol):
    """A store whose rows can be put under another master key."""

    async def rewrap(
        self, anew: Callable[[RowsUnderMasterKey], RowsUnderMasterKey], event: AuditEvent
    ) -> None:
        """Replace all of these rows by what `anew` makes of them, and record it, or change nothing.

        Raises `ConfigurationError` when `anew` does, and `Unavailable`.
        """
        ...


@dataclass(frozen=True, slots=True)
class KeptPolicySet:
    """A policy set that ran, as the store keeps it: sealed under the master key."""

    version: str
    content: bytes


class PolicySetReading(Protocol):
    """The policy sets that ran, as they lie in the store."""

    async def policy_set(self, version: str) -> bytes | None:
        """Find the content of a kept set. Raises `Unavailable`."""
        ...

    async def last_policy_set(self) -> KeptPolicySet | None:
        """Find the set that came into force last. Raises `Unavailable`."""
        ...


class PolicySetStore(PolicySetReading, Protocol):
    """Where every policy set that ran is kept, once, under its version."""

    async def keep_policy_set(self, version: str, content: bytes, now: float) -> None:
        """Keep a set as the last that ran; the content of one kept before is replaced.

        `now` is in seconds since the epoch. Raises `Unavailable`.
        """
        ...


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which audit events are wanted; None asks for any. Times are seconds since the epoch."""

    decision_id: str | None = None
    service_account: str | None = None
    issuer: str | None = None
    type: str | None = None
    outcome: str | None = None
    reason: str | None = None
    policy: str | None = None
    """Among those that decided."""

    since: float | None = None
    until: float | None = None
    """The first instant that is not wanted any more."""


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
        self,
        wanted: EventFilter,
        *,
        after: int = 0,
        before: int | None = None,
        newest_first: bool = False,
        limit: int = 100,
    ) -> list[StoredEvent]:
        """Find events whose number lies between `after` and `before`, both excluded.

        At most `limit`; the number of the last one is where the next page goes on. Raises
        `Unavailable`.
        """
        ...

    async def chain_page(self, after: int, limit: int) -> ChainPage:
        """Read the chain from behind an event on, whatever is in it. Raises `Unavailable`."""
        ...

    async def chain_end(self) -> Position | None:
        """Find the last event; None when there is none. Raises `Unavailable`."""
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


class Store(
    Ledger,
    StateEpoch,
    SigningKeyStore,
    SealedRows,
    RewrappingStore,
    TokenRecord,
    PolicySetStore,
    AuditLog,
    AuditRetention,
    Protocol,
):
    """A whole store."""

    async def ready(self) -> bool:
        """Tell whether the store can be written now."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go."""
        ...
