"""Writing a whole store into a Redis server, where it is none before all of it is there.

The state holds the id of the copy meanwhile, and no schema: no broker takes that for a store. Every
page is written only while the id is still this one's, so that two copies never mix.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from broker.core.audit_chain import StoredEvent
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
    StoreState,
)
from broker.stores import redis_accounts, redis_blocks, redis_keys
from broker.stores import redis_signing_keys as redis_signing
from broker.stores.content_rows import account_of, block_of, key_of, secret_of
from broker.stores.redis_batch import Batch
from broker.stores.redis_contents import RedisContents, plainly, scan
from broker.stores.redis_ledger import INDEXED, UNINDEXED
from broker.stores.redis_limits import ALIVE_SECONDS
from broker.stores.redis_link import Link, LinkLost, LinkRefused, Word, open_link
from broker.stores.redis_primary import read_info, require_suitable
from broker.stores.redis_scripts import BEGIN_COPY, PUT_COPY
from broker.stores.redis_session import REPLICA_SECONDS
from broker.stores.redis_stored_events import members_of, packed

_ELSE: Final = (
    redis_keys.accounts("account"),
    redis_keys.accounts("override"),
    redis_keys.SECRETS,
    redis_keys.SIGNING_KEYS,
    redis_keys.SEALED,
    redis_keys.POLICY_SETS,
    redis_keys.BLOCKS,
    redis_keys.ISSUERS_OFF,
    redis_keys.SPENDS,
    redis_keys.REVOCATIONS,
)
"""What an empty store has none of."""

_KEPT: Final = frozenset({redis_keys.STATE.encode(), redis_keys.PROCESSES.encode()})
_FAULTS: Final = {
    "filled": ("it holds a store already: name another place, or end that store with --replace"),
    "damaged": "it holds a damaged store: end that with --replace",
    "used": "it is in use: stop every broker of it first, and wait for some seconds",
    "another": "another copy to it has begun meanwhile",
}


class RedisDraft:
    """Writes a store; implements the port `ContentsWriting`."""

    def __init__(self, address: RedisAddress, *, replace: bool = False) -> None:
        """`replace` lets it take the place of a store that no broker serves from."""
        self._address = address
        self._replace = replace
        self._id = os.urandom(12).hex()
        self._link: Link | None = None
        self._replicated = False
        self._run_id = ""
        self._epoch_before = 0
        self._refused_until = 0
        self._begun = False

    async def begin(self) -> None:
        """Begin, or begin again, with nothing. Raises `ConfigurationError`."""
        with plainly(self._address):
            if self._link is None:
                self._link = await open_link(self._address)
            link = self._link
            info = await read_info(link)
            require_suitable(info)
            replicas = int(info.get("connected_slaves", "0"))
            self._replicated = self._address.sentinel_name is not None or replicas > 0
            self._run_id = info.get("run_id", "")
            keys = [redis_keys.STATE, redis_keys.PROCESSES, *_ELSE]
            words: list[Word] = [self._id, int(self._replace), time.time() - ALIVE_SECONDS]
            answer = [each.decode() for each in await link.run(BEGIN_COPY, keys, words)]
            if answer[0] != "begun":
                raise LinkRefused(_FAULTS[answer[0]])
            self._begun = True
            self._epoch_before = int(answer[1])
            await self._clear(link)

    async def put(self, part: Part, rows: Sequence[Row]) -> None:
        """Write rows. Raises `ConfigurationError`."""
        batch = Batch()
        _WRITERS[part.name](batch, rows)
        with plainly(self._address):
            await self._run(batch)

    async def complete(self, state: StoreState) -> None:
        """Write the state, but that it is one. Raises `ConfigurationError`."""
        self._refused_until = state.refused_until
        fields: dict[str, Word] = {
            redis_keys.EPOCH: state.epoch + self._epoch_before,
            "seq": state.end.sequence,
            "hash": state.end.hash,
            redis_keys.FORGOTTEN_UNTIL: state.forgotten_until,
            redis_keys.REVOCATIONS_FORGOTTEN_UNTIL: state.revocations_forgotten_until,
            redis_keys.REFUSED_UNTIL: state.refused_until,
            "primary": self._run_id,
            "replicated": int(self._replicated),
        }
        if state.pruned_to:
            fields[redis_keys.PRUNED_TO] = fields[redis_keys.CLEANED_TO] = state.pruned_to
        if state.beginning is not None:
            fields[redis_keys.BEGINNING] = state.beginning
        words = [word for pair in fields.items() for word in pair]
        with plainly(self._address):
            await self._run(Batch(commands=[("HSET", redis_keys.STATE, *words)]))
            await self._require_replica()

    def reading(self) -> RedisContents:
        """Read what was written."""
        return RedisContents(self._address, draft=True)

    async def publish(self, refused_until: int = 0) -> None:
        """Make it a store. Raises `ConfigurationError`."""
        batch = Batch()
        marks = (redis_keys.COPYING, redis_keys.EPOCH_BEFORE)
        if refused_until > self._refused_until:
            words = (redis_keys.REFUSED_UNTIL, refused_until)
            batch.commands.append(("HSET", redis_keys.STATE, *words))
        batch.commands += [
            ("HSET", redis_keys.STATE, "schema", redis_keys.SCHEMA_VERSION),
            ("HDEL", redis_keys.STATE, *marks),
        ]
        with plainly(self._address):
            await self._run(batch)
            self._begun = False
            await self._require_replica()
        await self.abandon()

    async def abandon(self) -> None:
        """Remove what was written, unless it was published.

        The mark stays where there was a store before: no broker may begin with nothing there.
        """
        link, self._link = self._link, None
        if link is None:
            return
        begun, self._begun = self._begun, False
        try:
            if begun and link.usable:
                await self._clear(link)
                if not self._epoch_before:
                    await link.run(PUT_COPY, [redis_keys.STATE], self._words(_REMOVED))
        except (LinkLost, LinkRefused):
            # It stays marked, and the next copy removes it.
            return
        finally:
            await link.close()

    async def _clear(self, link: Link) -> None:
        """Remove all but the mark."""
        async for found in scan(link, f"{redis_keys.PREFIX}*"):
            keys = [each for each in found if each not in _KEPT]
            if keys:
                batch = Batch()
                batch.commands.append(("UNLINK", *keys))
                answer = await link.run(PUT_COPY, [redis_keys.STATE], self._words(batch))
                self._require_done(answer)

    async def _run(self, batch: Batch) -> None:
        if self._link is None:
            raise LinkLost("it is not open")
        words = self._words(batch)
        self._require_done(await self._link.run(PUT_COPY, [redis_keys.STATE], words))

    def _words(self, batch: Batch) -> list[Word]:
        words: list[Word] = [self._id, len(batch.commands)]
        for command in batch.commands:
            words += [len(command), *command]
        return words

    def _require_done(self, answer: list[bytes]) -> None:
        if answer[0] != b"done":
            self._begun = False
            raise LinkRefused(_FAULTS["another"])

    async def _require_replica(self) -> None:
        if not self._replicated or self._link is None:
            return
        reached = await self._link.call("WAIT", 1, int(REPLICA_SECONDS * 1000))
        if int(reached) < 1:
            raise LinkRefused("what was written has come to no replica in time")


_REMOVED: Final = Batch(commands=[("DEL", redis_keys.STATE)])


def _put_accounts(batch: Batch, rows: Sequence[Row]) -> None:
    for row in rows:
        redis_accounts.put_account(batch, account_of(row), None)


def _put_secrets(batch: Batch, rows: Sequence[Row]) -> None:
    for row in rows:
        redis_accounts.put_secret(batch, secret_of(row))


def _put_last_uses(batch: Batch, rows: Sequence[Row]) -> None:
    for client_id, used, used_at in cast("Any", rows):
        batch.commands += redis_accounts.uses({client_id: {used: used_at}})


def _put_keys(batch: Batch, rows: Sequence[Row]) -> None:
    for row in rows:
        redis_signing.put(batch, key_of(row))


def _put_sealed(batch: Batch, rows: Sequence[Row]) -> None:
    batch.add("HSET", redis_keys.SEALED, [word for row in rows for word in _words_of(row)])


def _put_policy_sets(batch: Batch, rows: Sequence[Row]) -> None:
    for version, ran, kept_at, content in cast("Any", rows):
        batch.commands += [
            ("HSET", redis_keys.POLICY_SETS, version, content),
            ("HSET", redis_keys.POLICY_SETS_KEPT_AT, version, repr(kept_at)),
            ("ZADD", redis_keys.POLICY_SETS_RAN, ran, version),
        ]


def _put_blocks(batch: Batch, rows: Sequence[Row]) -> None:
    batch.commands += [redis_blocks.setting(block_of(row)) for row in rows]


def _put_issuers_off(batch: Batch, rows: Sequence[Row]) -> None:
    words = [word for row in rows for word in _words_of(row)]
    batch.add("SADD", redis_keys.ISSUERS_OFF, words, together=1)


def _put_by_end(key: str) -> Callable[[Batch, Sequence[Row]], None]:
    def put(batch: Batch, rows: Sequence[Row]) -> None:
        batch.add(
            "ZADD", key, [word for member, end in cast("Any", rows) for word in (end, member)]
        )

    return put


def _put_events(batch: Batch, rows: Sequence[Row]) -> None:
    texts: list[Word] = []
    ids: list[Word] = []
    facts: dict[str, list[Word]] = {}
    named: dict[str, int] = {}
    for sequence, covered, claims, event_hash in cast("Any", rows):
        texts += [redis_keys.event(sequence), packed(event_hash, claims, covered)]
        members = members_of(StoredEvent(sequence, covered, claims, event_hash))
        ids += [0, f"{members.get('id')}|{sequence}"]
        for fact in INDEXED:
            value = members.get(fact)
            if isinstance(value, str) and (fact, value) not in UNINDEXED:
                facts.setdefault(redis_keys.events_by(fact, value), []).extend((sequence, sequence))
        if isinstance(members.get("policy_set"), str):
            named[members["policy_set"]] = sequence
    batch.commands.append(("MSET", *texts))
    batch.add("ZADD", redis_keys.EVENT_IDS, ids)
    for key, numbers in facts.items():
        batch.add("ZADD", key, numbers)
    batch.add("HSET", redis_keys.NAMED_SETS, [word for pair in named.items() for word in pair])


_WRITERS: Final[dict[str, Callable[[Batch, Sequence[Row]], None]]] = {
    ACCOUNTS.name: _put_accounts,
    CLIENT_SECRETS.name: _put_secrets,
    LAST_USES.name: _put_last_uses,
    SIGNING_KEYS.name: _put_keys,
    SEALED.name: _put_sealed,
    POLICY_SETS.name: _put_policy_sets,
    BLOCKS.name: _put_blocks,
    ISSUERS_OFF.name: _put_issuers_off,
    EVENTS.name: _put_events,
    SPENDS.name: _put_by_end(redis_keys.SPENDS),
    REVOCATIONS.name: _put_by_end(redis_keys.REVOCATIONS),
}


def _words_of(row: Row) -> list[Word]:
    return [each for each in row if each is not None]
