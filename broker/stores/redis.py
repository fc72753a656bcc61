"""The store in Redis: for any number of machines, each with any number of processes."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from broker.core.audit import AuditEvent, ChainedEvent
from broker.core.audit_chain import Position
from broker.core.blocks import Block
from broker.core.errors import Unavailable
from broker.core.redis_address import RedisAddress
from broker.ports import (
    NOT_MEASURED,
    AccountRows,
    Clock,
    Entry,
    Measurements,
    Receipt,
    RowsUnderMasterKey,
    SigningKeyChange,
)
from broker.stores import (
    redis_accounts,
    redis_blocks,
    redis_issuers,
    redis_keys,
    redis_policy_sets,
    redis_retention,
    redis_revocations,
    redis_rewrap,
    redis_signing_keys,
    redis_state,
)
from broker.stores.in_batches import InBatches
from broker.stores.redis_batch import Batch
from broker.stores.redis_ledger import PendingEntry
from broker.stores.redis_link import LOST, Link, LinkLost, LinkRefused, open_link
from broker.stores.redis_pool import LinkPool
from broker.stores.redis_primary import has_schema
from broker.stores.redis_reading import Query, RedisReading, Result, unreadable, unusable
from broker.stores.redis_session import Session
from broker.stores.redis_writer import RedisWriter

_PAUSE_SECONDS: Final = 0.2
READY_SECONDS: Final = 1.0
"""How long a proof that the store can be written is believed."""


class RedisStore(RedisReading):
    """A whole store; implements the port `Store`."""

    def __init__(
        self, address: RedisAddress, pool: LinkPool, writer: RedisWriter, clock: Clock
    ) -> None:
        """Use `open`."""
        super().__init__(address)
        self._pool = pool
        self._writer = writer
        self._clock = clock
        self._tokens = InBatches[tuple[str, int], bool](
            lambda tokens: pool.read(lambda link: redis_revocations.are_active(link, tokens))
        )
        self._proof: asyncio.Future[None] | None = None
        self._proved_at = float("-inf")

    @classmethod
    async def open(
        cls,
        address: RedisAddress,
        clock: Clock,
        *,
        on_committed: Callable[[ChainedEvent], None] | None = None,
        may_make: bool = True,
        patient_seconds: float = 0,
        has_begun: bool = False,
        measurements: Measurements = NOT_MEASURED,
    ) -> "RedisStore":
        """Open the store for the running event loop, making it if need be and allowed.

        `on_committed` is called with every event once it is durable, and must not wait; the
        `OSError` or `ValueError` it may raise is logged. `measurements` are told of batches. A
        server that is out of reach is asked again for `patient_seconds`. A broker that `has_begun`
        bears that the store is brought up to the next version. Raises `ConfigurationError`.
        """
        pool = LinkPool(address)
        session = Session(address, clock, pool.drop, has_begun=has_begun)
        loop = asyncio.get_running_loop()
        until = loop.time() + patient_seconds
        while True:
            try:
                await session.link(may_make=may_make)
                break
            except LinkLost as error:
                if loop.time() > until:
                    raise unusable(address, error) from None
                await asyncio.sleep(_PAUSE_SECONDS)
            except LinkRefused as error:
                raise unusable(address, error) from None
        writer = RedisWriter(session, clock, on_committed, measurements)
        return cls(address, pool, writer, clock)

    async def commit(self, entry: Entry) -> Receipt:
        """Make an entry durable, unless another process has changed the state since its epoch.

        A caller that is cancelled from here on does not undo it. Raises `Unavailable`, and
        `ValueError` or `TypeError` for an entry that cannot be written.
        """
        pending = PendingEntry.of(entry)
        try:
            return await self._writer.append(pending)
        except Unavailable:
            self._proved_at = float("-inf")
            raise

    def busy(self) -> bool:
        """Tell whether entries are waiting to become durable."""
        return self._writer.busy()

    async def add_sealed_row(self, name: str, content: bytes) -> bool:
        """Insert a sealed row unless there is one of this name; tell whether it was inserted.

        Raises `Unavailable`.
        """

        async def make(_link: Link, _epoch: int) -> Batch:
            return redis_state.add_sealed(name, content)

        return await self._writer.change(make)

    async def replace_sealed_row(self, name: str, before: bytes, content: bytes) -> bool:
        """Replace a sealed row whose content is still the one given; tell whether it was replaced.

        Raises `Unavailable`.
        """
        return await self._writer.run(
            lambda session: redis_state.replace_sealed(session, name, before, content)
        )

    async def put_sealed_row(self, name: str, content: bytes, event: AuditEvent) -> None:
        """Insert or replace a sealed row and record it at once. Raises `Unavailable`."""
        await self._writer.change(
            lambda _, epoch: redis_state.put_sealed(epoch, name, content), [event]
        )

    async def change_signing_keys(self, change: SigningKeyChange) -> bool:
        """Make a change and record its events at once; tell whether it was made.

        It is not when the state has changed since its epoch, or when another key has the place of
        one that it puts. Raises `Unavailable`.
        """
        return await self._writer.change(
            lambda link, epoch: redis_signing_keys.change(link, epoch, change), change.events
        )

    async def change_account_rows(self, change: AccountRows) -> bool:
        """Make a change and record its events at once; tell whether it was made.

        It is not when the state has changed since its epoch, or when one of the new ids was given
        before. Raises `Unavailable`.
        """
        return await self._writer.change(
            lambda link, epoch: redis_accounts.change(link, epoch, change), change.events
        )

    async def token_is_active(self, token_id: str, expires_at: int) -> bool:
        """Tell whether a token with this id is on record, and was not revoked.

        Those that are asked about together are looked for together. Raises `Unavailable`.
        """
        try:
            return await self._tokens.ask((token_id, expires_at))
        except (LinkLost, LinkRefused) as error:
            raise unreadable(error) from None

    async def revoke_token(self, token_id: str, expires_at: int, event: AuditEvent) -> bool:
        """Revoke a token and record it at once; tell whether it was not revoked before.

        Raises `Unavailable`.
        """
        return await self._writer.change(
            lambda link, _: redis_revocations.revoke(link, token_id, expires_at, self._clock.now()),
            [event],
        )

    async def set_block(self, block: Block, event: AuditEvent, *, at_most: int) -> bool:
        """Set a block and record it at once; tell whether there was room for it.

        Raises `Unavailable`.
        """
        return await self._writer.change(
            lambda link, epoch: redis_blocks.put(link, epoch, block, self._clock.now(), at_most),
            [event],
        )

    async def switch_issuer(self, name: str, event: AuditEvent, *, enabled: bool) -> bool:
        """Switch an issuer and record it at once; tell whether that changed it.

        Raises `Unavailable`.
        """
        return await self._writer.change(
            lambda link, epoch: redis_issuers.switch(link, epoch, name, enabled=enabled), [event]
        )

    async def lift_block(self, block_id: str, event: AuditEvent) -> bool:
        """Lift a block and record it at once; tell whether there was one.

        Raises `Unavailable`.
        """
        return await self._writer.change(
            lambda link, epoch: redis_blocks.lift(link, epoch, block_id), [event]
        )

    async def note_uses(self, uses: dict[str, dict[str, float]]) -> None:
        """Note when secrets were last used: by account and secret, in seconds since the epoch.

        Raises `Unavailable`.
        """
        commands = redis_accounts.uses(uses)
        if commands:
            await self._writer.run(lambda session: session.do(*commands))

    async def rewrap(
        self, anew: Callable[[RowsUnderMasterKey], RowsUnderMasterKey], event: AuditEvent
    ) -> None:
        """Replace the rows under the master key by what `anew` makes of them, or change nothing.

        Raises `ConfigurationError` when `anew` does, and `Unavailable`.
        """
        await self._writer.change(
            lambda link, epoch: redis_rewrap.rewrap(link, epoch, anew), [event]
        )

    async def keep_policy_set(
        self, version: str, content: bytes, now: float, *, new_ids: Sequence[str] = ()
    ) -> bool:
        """Keep a set as the last that ran, in place of one of its version; tell whether it is kept.

        It is not when an account that was made has, or had, one of `new_ids`. `now` is in seconds
        since the epoch. Raises `Unavailable`.
        """
        return await self._writer.change(
            lambda link, epoch: redis_policy_sets.keep(link, epoch, version, content, now, new_ids)
        )

    async def prune_events(self, last: Position, beginning: str) -> int:
        """Delete the events up to `last`, as the port says. Raises `Unavailable`."""
        pruned = await self._writer.run(
            lambda session: redis_retention.prune(session, last, beginning)
        )
        removed = 0
        # Also what an earlier one has left. A commit waits for a part of it at most.
        while (some := await self._writer.run(redis_retention.clean)) is not None:
            removed += some
        return removed if pruned else 0

    async def forget_policy_sets(self, keep: int) -> int:
        """Delete the kept sets that no event names, but the last ones. Raises `Unavailable`."""
        unnamed = await self._read(lambda link: redis_policy_sets.unnamed(link, keep))
        if not unnamed:
            return 0
        made = await self._writer.change(
            lambda link, epoch: redis_policy_sets.forget(link, epoch, keep)
        )
        return len(unnamed) if made else 0

    async def erase_claims(self, sequences: Sequence[int]) -> int:
        """Erase the claims of some events, as the port says. Raises `Unavailable`."""
        return await self._writer.run(lambda session: redis_retention.erase(session, sequences))

    async def rewrite_file(self) -> None:
        """Have the server write its file anew, without what was overwritten. Raises `Unavailable`.

        The server does that by itself, and goes on serving.
        """
        await self._writer.run(lambda session: session.do(("BGREWRITEAOF",)))

    async def ready(self) -> bool:
        """Tell whether the store can be written, by a proof that is at most a second old."""
        if 0 <= self._clock.now() - self._proved_at < READY_SECONDS:
            return True
        try:
            if self._proof is None or self._proof.done():
                self._proof = self._writer.run(_prove_writable)
            # Shielded, because others may wait for the same proof.
            await asyncio.shield(self._proof)
        except Unavailable:
            return False
        self._proved_at = self._clock.now()
        return True

    async def close(self) -> None:
        """Write what waits and let go of the server."""
        await self._writer.close()
        await self._tokens.close()
        await self._pool.close()

    async def _read(self, query: Query[Result]) -> Result:
        try:
            return await self._pool.read(query)
        except (LinkLost, LinkRefused) as error:
            raise unreadable(error) from None


async def store_exists(address: RedisAddress) -> bool:
    """Tell whether there is a store.

    Raises `ConfigurationError` for one that this version cannot read, and for a server out of
    reach.
    """
    try:
        link = await open_link(address)
        try:
            return await has_schema(link)
        finally:
            await link.close()
    except (LinkLost, LinkRefused) as error:
        raise unusable(address, error) from None


async def _prove_writable(session: Session) -> None:
    _, epoch = await session.do(
        ("SET", redis_keys.WRITABLE, 1, "PX", 1000),
        ("HGET", redis_keys.STATE, redis_keys.EPOCH),
    )
    if epoch is None:
        # A server that can be written, but the store is gone.
        raise LinkRefused(LOST)
