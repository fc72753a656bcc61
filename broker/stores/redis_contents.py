"""Reading a store in Redis whole, beside the brokers that write to it.

A server gives no snapshot, so what is read is put together to one. All rows that decide anything
are of one epoch, or are read again. Events are read up to the one that was the last at that epoch.
Spends and revocations are read after that: some may be newer, which only refuses more; what was
forgotten meanwhile is within what the state says of that, which is read last.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from broker.core.audit_chain import START, Position
from broker.core.redis_address import RedisAddress
from broker.ports.contents import (
    ACCOUNTS,
    BLOCKS,
    CLIENT_SECRETS,
    EVENTS,
    ISSUERS_OFF,
    LAST_USES,
    POLICY_SETS,
    REVOCATIONS,
    SEALED,
    SIGNING_KEYS,
    SPENDS,
    Part,
    Row,
    StoreChanged,
    StoreState,
)
from broker.stores import redis_accounts, redis_blocks, redis_issuers, redis_keys
from broker.stores import redis_signing_keys as redis_signing
from broker.stores.content_rows import row_of_account, row_of_block, row_of_key, row_of_secret
from broker.stores.redis_link import LOST, Link, LinkLost, LinkRefused, Word, open_link
from broker.stores.redis_primary import DAMAGED, has_schema
from broker.stores.redis_reading import unusable
from broker.stores.redis_rows import pairs
from broker.stores.redis_stored_events import read_events

KEYS: Final[Mapping[str, str]] = {
    "state": "its own",
    "event": EVENTS.name,
    "event_ids": EVENTS.name,
    "events_by": EVENTS.name,
    "named_policy_sets": EVENTS.name,
    "spends": SPENDS.name,
    "revocations": REVOCATIONS.name,
    "accounts": ACCOUNTS.name,
    "overrides": ACCOUNTS.name,
    "account_ids": ACCOUNTS.name,
    "override_ids": ACCOUNTS.name,
    "account_ids_of": ACCOUNTS.name,
    "override_ids_of": ACCOUNTS.name,
    "every_account_of": ACCOUNTS.name,
    "client_secrets": CLIENT_SECRETS.name,
    "client_secret_digests": CLIENT_SECRETS.name,
    "client_secrets_of": CLIENT_SECRETS.name,
    "having_secrets": CLIENT_SECRETS.name,
    "last_uses": LAST_USES.name,
    "signing_keys": SIGNING_KEYS.name,
    "sealed": SEALED.name,
    "policy_sets": POLICY_SETS.name,
    "policy_sets_kept_at": POLICY_SETS.name,
    "policy_sets_ran": POLICY_SETS.name,
    "blocks": BLOCKS.name,
    "issuers_off": ISSUERS_OFF.name,
}
"""Which part the keys of each name belong to."""

LEFT_OUT: Final[Mapping[str, str]] = {
    "batch": "tells for a minute that a batch was written to this server",
    "limit": "a count of the last minutes, which begins anew",
    "processes": "who counts now",
    "writable": "a proof of a second",
}
"""Keys that are not copied, and why."""

_SCANNED_AT_ONCE: Final = 1000
_OF_EPOCH: Final = (
    ACCOUNTS, CLIENT_SECRETS, LAST_USES, SIGNING_KEYS, SEALED, POLICY_SETS, BLOCKS, ISSUERS_OFF,
)  # fmt: skip
_STATE: Final = (
    redis_keys.EPOCH,
    "seq",
    "hash",
    redis_keys.PRUNED_TO,
    redis_keys.BEGINNING,
    redis_keys.FORGOTTEN_UNTIL,
    redis_keys.REVOCATIONS_FORGOTTEN_UNTIL,
    redis_keys.REFUSED_UNTIL,
)


class RedisContents:
    """Reads a store; implements the port `ContentsReading`."""

    def __init__(self, address: RedisAddress, *, draft: bool = False) -> None:
        """A `draft` is one that was not published yet."""
        self._address = address
        self._draft = draft
        self._link: Link | None = None
        self._begun: StoreState | None = None
        self._readers: dict[str, Callable[[Link, Part], AsyncIterator[list[Row]]]] = {
            ACCOUNTS.name: _accounts,
            CLIENT_SECRETS.name: _secrets,
            LAST_USES.name: _last_uses,
            SIGNING_KEYS.name: _listed(_signing_keys),
            SEALED.name: _sealed,
            POLICY_SETS.name: _policy_sets,
            BLOCKS.name: _listed(_blocks),
            ISSUERS_OFF.name: _listed(_issuers_off),
            EVENTS.name: self._events,
            SPENDS.name: _by_end(redis_keys.SPENDS, bytes),
            REVOCATIONS.name: _by_end(redis_keys.REVOCATIONS, bytes.decode),
        }

    async def begin(self) -> StoreState:
        """Begin, or begin again, to read the store as it is now. Raises `ConfigurationError`."""
        await self.close()
        with plainly(self._address):
            link = self._link = await open_link(self._address)
            if not self._draft and not await has_schema(link):
                raise LinkRefused("there is none")
            self._begun = await _state(link)
        return self._begun

    async def rows(self, part: Part) -> AsyncIterator[Sequence[Row]]:
        """Read the rows of a part, some at a time.

        Raises `StoreChanged`, and `ConfigurationError`.
        """
        with plainly(self._address):
            link = self._reading()
            async for page in self._readers[part.name](link, part):
                yield page
            # The epoch stands still for as long as these are what they were.
            if part in _OF_EPOCH and (await _state(link)).epoch != self._as_begun().epoch:
                raise StoreChanged

    async def state(self) -> StoreState:
        """Give the state that goes with all rows that were read. Raises `ConfigurationError`."""
        begun = self._as_begun()
        with plainly(self._address):
            now = await _state(self._reading())
        return StoreState(
            epoch=begun.epoch,
            end=begun.end,
            pruned_to=begun.pruned_to,
            beginning=begun.beginning,
            forgotten_until=now.forgotten_until,
            revocations_forgotten_until=now.revocations_forgotten_until,
            refused_until=now.refused_until,
        )

    async def fault(self) -> str | None:
        """Tell of nothing: how rows lie in its memory is the server's."""
        return None

    async def close(self) -> None:
        """Let go of the server."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    def _reading(self) -> Link:
        if self._link is None:
            raise LinkLost("it is not open")
        return self._link

    def _as_begun(self) -> StoreState:
        if self._begun is None:
            raise LinkLost("it is not open")
        return self._begun

    async def _events(self, link: Link, part: Part) -> AsyncIterator[list[Row]]:
        begun = self._as_begun()
        at = begun.pruned_to
        while at < begun.end.sequence:
            until = min(at + part.rows_at_once, begun.end.sequence)
            found = await read_events(link, range(at + 1, until + 1))
            # One that is not there is a gap in the chain, unless it was pruned since.
            if len(found) < until - at and (await _state(link)).pruned_to > at:
                raise StoreChanged
            yield [(each.sequence, each.covered, each.claims, each.hash) for each in found]
            at = until


@contextmanager
def plainly(address: RedisAddress) -> Iterator[None]:
    """Raise `ConfigurationError` with what is wrong where a server is out of reach or refuses."""
    try:
        yield
    except (LinkLost, LinkRefused) as error:
        raise unusable(address, error) from None
    except (ValueError, KeyError, TypeError):
        # A row that somebody else has written.
        raise unusable(address, "it is damaged: restore a backup") from None


async def scan(link: Link, pattern: str) -> AsyncIterator[list[bytes]]:
    """Find the keys of a pattern, some at a time; one may come twice. Raises as `Link.call`."""
    cursor = "0"
    while True:
        cursor, found = await link.call("SCAN", cursor, "MATCH", pattern, "COUNT", _SCANNED_AT_ONCE)
        yield found
        if int(cursor) == 0:
            return


async def _state(link: Link) -> StoreState:
    found = await link.call("HMGET", redis_keys.STATE, *_STATE)
    epoch, sequence, event_hash, pruned_to, beginning, *until = found
    if None in (epoch, sequence, event_hash):
        raise LinkRefused(LOST)
    forgotten, revocations, refused = (int(each or 0) for each in until)
    end = Position(int(sequence), event_hash.decode(errors="replace"))
    return StoreState(
        epoch=int(epoch),
        end=end if end.sequence else START,
        pruned_to=int(pruned_to or 0),
        beginning=None if beginning is None else beginning.decode(errors="replace"),
        forgotten_until=forgotten,
        revocations_forgotten_until=revocations,
        refused_until=refused,
    )


async def _fields(
    link: Link, key: str, at_once: int, names: Sequence[bytes] | None = None
) -> AsyncIterator[list[tuple[bytes, bytes]]]:
    """Read the fields of a hash that are there now, or some of them, some at a time."""
    names = sorted(await link.call("HKEYS", key) if names is None else names)
    for begin in range(0, len(names), at_once):
        some = names[begin : begin + at_once]
        texts = await link.call("HMGET", key, *some)
        found = zip(some, texts, strict=True)
        yield [(name, text) for name, text in found if text is not None]


def _readable(row: Row) -> Row:
    """Refuse what stands for a row that cannot be read: it has nothing under its seal."""
    if row[-1] == b"":
        raise LinkRefused(DAMAGED, permanent=True)
    return row


async def _accounts(link: Link, part: Part) -> AsyncIterator[list[Row]]:
    for kind in redis_accounts.KINDS:
        async for fields in _fields(link, redis_keys.accounts(kind), part.rows_at_once):
            yield [
                _readable(row_of_account(redis_accounts.read_account(name.decode(), kind, text)))
                for name, text in fields
            ]


async def _secrets(link: Link, part: Part) -> AsyncIterator[list[Row]]:
    async for fields in _fields(link, redis_keys.SECRETS, part.rows_at_once):
        yield [
            _readable(row_of_secret(redis_accounts.read_secret(name.decode(), text)))
            for name, text in fields
        ]


async def _last_uses(link: Link, _part: Part) -> AsyncIterator[list[Row]]:
    keys: set[bytes] = set()
    async for some in scan(link, f"{redis_keys.LAST_USES}*"):
        keys.update(some)
    for key in sorted(keys):
        client_id = key.decode().removeprefix(redis_keys.LAST_USES)
        uses = await redis_accounts.last_uses(link, client_id)
        yield [(client_id, used, used_at) for used, used_at in uses.items()]


async def _signing_keys(link: Link) -> list[Row]:
    return [_readable(row_of_key(row)) for row in await redis_signing.read(link)]


async def _blocks(link: Link) -> list[Row]:
    return [row_of_block(block) for block in await redis_blocks.listed(link)]


async def _issuers_off(link: Link) -> list[Row]:
    return [(name,) for name in await redis_issuers.switched_off(link)]


async def _sealed(link: Link, part: Part) -> AsyncIterator[list[Row]]:
    async for fields in _fields(link, redis_keys.SEALED, part.rows_at_once):
        yield [(name.decode(), content) for name, content in fields]


async def _policy_sets(link: Link, part: Part) -> AsyncIterator[list[Row]]:
    # The names first: whatever is kept meanwhile is not among them.
    names = await link.call("HKEYS", redis_keys.POLICY_SETS)
    ran = redis_accounts.scored(
        await link.call("ZRANGE", redis_keys.POLICY_SETS_RAN, 0, -1, "WITHSCORES")
    )
    kept_at = pairs(await link.call("HGETALL", redis_keys.POLICY_SETS_KEPT_AT))
    places = {version: int(float(place)) for version, place in ran}
    async for fields in _fields(link, redis_keys.POLICY_SETS, part.rows_at_once, names):
        yield [
            (version.decode(), places[version], float(kept_at[version]), content)
            for version, content in fields
        ]


def _listed(
    read: Callable[[Link], Awaitable[list[Row]]],
) -> Callable[[Link, Part], AsyncIterator[list[Row]]]:
    """Give at once what is never much."""

    async def rows(link: Link, _part: Part) -> AsyncIterator[list[Row]]:
        yield await read(link)

    return rows


def _by_end(
    key: str, member_of: Callable[[bytes], str | bytes]
) -> Callable[[Link, Part], AsyncIterator[list[Row]]]:
    """Read a sorted set in the order of its scores, which are whole seconds."""

    async def rows(link: Link, part: Part) -> AsyncIterator[list[Row]]:
        async def found(least: Word, most: Word, passed: int) -> list[tuple[bytes, int]]:
            words = ("BYSCORE", "LIMIT", passed, part.rows_at_once, "WITHSCORES")
            answer: Any = await link.call("ZRANGE", key, least, most, *words)
            return [(member, int(float(end))) for member, end in redis_accounts.scored(answer)]

        least: Word = "-inf"
        while page := await found(least, "+inf", 0):
            yield [(member_of(member), end) for member, end in page]
            last = page[-1][1]
            # The rest of the last second. Only within it is anything passed over: what is forgotten
            # meanwhile goes by whole seconds, and would take the place of what was not read yet.
            seen = {member for member, end in page if end == last}
            passed = len(seen)
            while more := await found(last, last, passed):
                yield [(member_of(member), end) for member, end in more if member not in seen]
                seen.update(member for member, _ in more)
                passed += len(more)
            least = f"({last}"

    return rows
