"""All that a store consists of, whichever kind it is: parts with rows, and a state.

A row is a tuple of plain values, so that one can be written, counted and compared without knowing
what it means. The columns are those of the tables in SQLite.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from broker.core.audit_chain import Position

Value: TypeAlias = str | bytes | int | float | None
Row: TypeAlias = tuple[Value, ...]

EPOCH_LEAP: Final = 1_000_000
"""So much is added to the epoch of a store that takes the place of another: more than that one can
have come to since. What a process holds in memory of the other is then read anew."""


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of rows."""

    name: str
    columns: tuple[str, ...]
    rows_at_once: int = 500
    """So many rows are held in memory."""


ACCOUNTS: Final = Part("accounts", ("client_id", "kind", "organization", "deleted", "content"))
CLIENT_SECRETS: Final = Part("client_secrets", ("secret_id", "client_id", "digest", "content"))
LAST_USES: Final = Part("last_uses", ("client_id", "used", "used_at"))
SIGNING_KEYS: Final = Part(
    "signing_keys",
    (
        "algorithm",
        "generation",
        "key_id",
        "publish_at",
        "sign_from",
        "sign_until",
        "remove_at",
        "wrapped",
    ),
)
SEALED: Final = Part("sealed", ("name", "content"))
# One set may be of megabytes.
POLICY_SETS: Final = Part("policy_sets", ("version", "ran", "kept_at", "content"), rows_at_once=1)
BLOCKS: Final = Part("blocks", ("block_id", "expires_at", "content"))
ISSUERS_OFF: Final = Part("issuers_off", ("name",))
EVENTS: Final = Part("events", ("seq", "body", "claims", "hash"))
SPENDS: Final = Part("spends", ("key", "expires_at"))
REVOCATIONS: Final = Part("revocations", ("token_id", "expires_at"))

PARTS: Final = (
    ACCOUNTS,
    CLIENT_SECRETS,
    LAST_USES,
    SIGNING_KEYS,
    SEALED,
    POLICY_SETS,
    BLOCKS,
    ISSUERS_OFF,
    EVENTS,
    SPENDS,
    REVOCATIONS,
)
"""In the order in which they are read: what the epoch stands for first, then the events, then what
may only grow or be forgotten, of which the state tells up to when."""


@dataclass(frozen=True, slots=True)
class StoreState:
    """What a store holds beside its rows."""

    epoch: int
    end: Position
    """The last event; `START` when there is none."""

    pruned_to: int = 0
    """The last event that was pruned."""

    beginning: str | None = None
    """What was signed when the chain was pruned last."""

    forgotten_until: int = 0
    """Up to which second spends have been forgotten."""

    revocations_forgotten_until: int = 0
    refused_until: int = 0
    """Up to which second of its issue what is for one use is refused."""


class StoreChanged(Exception):
    """What was read is no longer of one moment: to be read again from the beginning."""


class ContentsReading(Protocol):
    """A store that is read whole, as it is at one moment, while it is in use.

    Every method raises `ConfigurationError` when it cannot be read.
    """

    async def begin(self) -> StoreState:
        """Begin, or begin again, to read the store as it is now."""
        ...

    def rows(self, part: Part) -> AsyncIterator[Sequence[Row]]:
        """Read the rows of a part, some at a time. Raises `StoreChanged`."""
        ...

    async def state(self) -> StoreState:
        """Give the state that goes with all rows that were read."""
        ...

    async def fault(self) -> str | None:
        """Tell what is wrong with how the rows lie there, where that can be known."""
        ...

    async def close(self) -> None:
        """Let go."""
        ...


class ContentsWriting(Protocol):
    """A store that is written whole, and is none before it is published.

    Every method raises `ConfigurationError` when it cannot be written.
    """

    async def begin(self) -> None:
        """Begin, or begin again, with nothing. Raises it also when the place is taken."""
        ...

    async def put(self, part: Part, rows: Sequence[Row]) -> None:
        """Write rows."""
        ...

    async def complete(self, state: StoreState) -> None:
        """Write the state; all rows are there now."""
        ...

    def reading(self) -> ContentsReading:
        """Read what was written, before it is published."""
        ...

    async def publish(self, refused_until: int = 0) -> None:
        """Make it a store, in one step.

        What is for one use and was issued up to a second of the epoch is refused; of 0 nothing is
        that was not before.
        """
        ...

    async def abandon(self) -> None:
        """Remove what was written, unless it was published."""
        ...
