"""Keys: of the issuers, and the broker's own with what operators do to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from broker.core.audit import AuditEvent, rfc3339
from broker.core.client import LiveAccount
from broker.core.issuer_keys import VerificationKey
from broker.core.kept_keys import KeptKeys
from broker.core.policy import Issuer
from broker.core.signing_keys import KeyState, SigningKey, SigningKeySet, SigningSchedule


class IssuerKeySource(Protocol):
    """The public keys of the configured issuers."""

    async def find(self, issuer: Issuer, key_id: str) -> VerificationKey:
        """Find a key of this issuer by its exact `kid`.

        Raises `SubjectTokenRefused` (`key_not_found`) and `Unavailable` (`issuer_unavailable`).
        """
        ...


@dataclass(frozen=True, slots=True)
class IssuerKeyStatus:
    """The keys held of one issuer, and what went wrong last.

    `failure` and `skipped` are sentences for operators; they never hold a proxy's password.
    """

    issuer: str
    """The issuer's configured name."""

    usable: bool
    """Whether keys are held that may verify a token now."""

    key_ids: tuple[str, ...]
    age: float | None
    """Seconds since the last good fetch began; None when there was none, and for a key file."""

    failure: str | None
    """Why the last fetch failed; None when it was good."""

    failures: int = 0
    """How many fetches failed in a row."""

    skipped: tuple[str, ...] = ()
    """Why some published keys are not used."""

    failing_since: float | None = None
    """When the first of these fetches failed, in seconds since the epoch."""

    uploaded: bool = False
    """Whether an operator uploaded the keys that are held."""


class IssuerKeyStatuses(Protocol):
    """How it stands with the keys of the issuers that this process has asked for."""

    def status(self) -> tuple[IssuerKeyStatus, ...]:
        """Tell it of every issuer in use, by name."""
        ...


class IssuerKeyKeeping(Protocol):
    """The key sets that the processes of a store keep for each other, and for after a restart."""

    async def kept(self, issuers: Sequence[Issuer]) -> list[KeptKeys | None]:
        """Find what is kept of each issuer, exactly as it is configured.

        What was not made by a broker of this store counts as absent. Raises `Unavailable`.
        """
        ...

    async def keep(self, issuer: Issuer, keys: KeptKeys, now: float) -> bool:
        """Keep a set in place of an older one; tell whether it was written. The epoch stays.

        One that has not changed is written again only after a while. Raises `Unavailable`.
        """
        ...


class IssuerKeyUploads(Protocol):
    """Where operators put key sets that the broker cannot fetch."""

    async def upload(self, issuer: Issuer, keys: KeptKeys, event: AuditEvent) -> None:
        """Keep a set whatever was kept before, record it, and raise the epoch: all or nothing.

        Raises `Unavailable`.
        """
        ...


class ClientKeySource(Protocol):
    """The public keys that service accounts have registered (`private_key_jwt`)."""

    async def find(self, live: LiveAccount, key_id: str) -> Sequence[VerificationKey]:
        """Give the keys of an account that have this `kid`; all that it may sign with for none.

        Raises `Unavailable` (`issuer_unavailable`) when they cannot be fetched.
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
