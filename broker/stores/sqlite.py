"""The store in one SQLite file: for one machine, with any number of processes."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import apsw

from broker.core.audit import AuditEvent, ChainedEvent
from broker.core.audit_chain import Position
from broker.core.blocks import Block
from broker.core.errors import ConfigurationError, Unavailable
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
    sqlite_accounts,
    sqlite_blocks,
    sqlite_erasure,
    sqlite_issuers,
    sqlite_ledger,
    sqlite_policy_sets,
    sqlite_retention,
    sqlite_revocations,
    sqlite_rewrap,
    sqlite_signing_keys,
    sqlite_state,
)
from broker.stores.events_in_order import EventsInOrder
from broker.stores.sqlite_file import explain, open_for_writing, transaction, unusable
from broker.stores.sqlite_ledger import PendingEntry
from broker.stores.sqlite_reading import Result, SqliteReading, unreadable
from broker.stores.sqlite_short_queries import ShortQueries
from broker.stores.sqlite_writer import SqliteWriter

# How long a proof that the file can be written is believed: a flood of health checks must not
# turn into as many disk writes.
_READY_SECONDS: Final = 1.0


class SqliteStore(SqliteReading):
    """A whole store; implements the port `Store`."""

    def __init__(
        self, path: Path, writer: SqliteWriter, clock: Clock, in_order: EventsInOrder | None
    ) -> None:
        """Use `open`."""
        super().__init__(path)
        self._short_queries = ShortQueries(path)
        self._writer = writer
        self._clock = clock
        self._in_order = in_order
        self._proof: asyncio.Future[None] | None = None
        self._proved_at = float("-inf")

    @classmethod
    async def open(
        cls,
        path: Path,
        clock: Clock,
        *,
        on_committed: Callable[[ChainedEvent], None] | None = None,
        begun: bool = False,
        serving: bool = True,
        measurements: Measurements = NOT_MEASURED,
    ) -> "SqliteStore":
        """Open the store for the running event loop, making the file and its folders if need be.

        `on_committed` is called with every event, in another thread, once the event is durable;
        the `OSError` or `ValueError` it may raise is logged. One process of a broker that has
        `begun` before bears a file of the next version. A backup is taken into use by who is
        `serving` from it alone. Raises `ConfigurationError`.
        """
        used_from = clock.now() if serving else None
        connection = await asyncio.to_thread(_open, path, used_from, begun=begun)
        in_order = EventsInOrder(on_committed) if on_committed else None
        writer = SqliteWriter(path, connection, clock, in_order, measurements)
        return cls(path, writer, clock, in_order)

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
        return await self._writer.run(
            lambda connection: sqlite_state.add_sealed(connection, name, content)
        )

    async def replace_sealed_row(self, name: str, before: bytes, content: bytes) -> bool:
        """Replace a sealed row whose content is still the one given; tell whether it was replaced.

        Raises `Unavailable`.
        """
        return await self._writer.run(
            lambda connection: sqlite_state.replace_sealed(connection, name, before, content)
        )

    async def put_sealed_row(self, name: str, content: bytes, event: AuditEvent) -> None:
        """Insert or replace a sealed row and record it in one transaction. Raises `Unavailable`."""

        def change(connection: apsw.Connection) -> bool:
            sqlite_state.put_sealed(connection, name, content)
            return True

        await self._make_recorded(change, [event])

    async def change_signing_keys(self, change: SigningKeyChange) -> bool:
        """Make a change and record its events in one transaction; tell whether it was made.

        It is not when the state has changed since its epoch, or when another key has the place of
        one that it puts. Raises `Unavailable`.
        """
        return await self._make_recorded(
            lambda connection: sqlite_signing_keys.change(connection, change), change.events
        )

    async def change_account_rows(self, change: AccountRows) -> bool:
        """Make a change and record its events in one transaction; tell whether it was made.

        It is not when the state has changed since its epoch, or when one of the new ids was given
        before. Raises `Unavailable`.
        """
        return await self._make_recorded(
            lambda connection: sqlite_accounts.change(connection, change), change.events
        )

    async def revoke_token(self, token_id: str, expires_at: int, event: AuditEvent) -> bool:
        """Revoke a token and record it in one transaction; tell whether it was not revoked before.

        Raises `Unavailable`.
        """
        return await self._make_recorded(
            lambda connection: sqlite_revocations.revoke(
                connection, token_id, expires_at, self._clock.now()
            ),
            [event],
        )

    async def set_block(self, block: Block, event: AuditEvent, *, at_most: int) -> bool:
        """Set a block and record it in one transaction; tell whether there was room for it.

        Raises `Unavailable`.
        """
        return await self._make_recorded(
            lambda connection: sqlite_blocks.put(connection, block, self._clock.now(), at_most),
            [event],
        )

    async def lift_block(self, block_id: str, event: AuditEvent) -> bool:
        """Lift a block and record it in one transaction; tell whether there was one.

        Raises `Unavailable`.
        """
        return await self._make_recorded(
            lambda connection: sqlite_blocks.lift(connection, block_id), [event]
        )

    async def switch_issuer(self, name: str, event: AuditEvent, *, enabled: bool) -> bool:
        """Switch an issuer and record it in one transaction; tell whether that changed it.

        Raises `Unavailable`.
        """
        return await self._make_recorded(
            lambda connection: sqlite_issuers.switch(connection, name, enabled=enabled), [event]
        )

    async def note_uses(self, uses: dict[str, dict[str, float]]) -> None:
        """Note when secrets were last used: by account and secret, in seconds since the epoch.

        Raises `Unavailable`.
        """

        def job(connection: apsw.Connection) -> None:
            with transaction(connection):
                sqlite_accounts.note_uses(connection, uses)

        await self._writer.run(job)

    async def rewrap(
        self, anew: Callable[[RowsUnderMasterKey], RowsUnderMasterKey], event: AuditEvent
    ) -> None:
        """Replace the rows under the master key by what `anew` makes of them, or change nothing.

        Raises `ConfigurationError` when `anew` does, and `Unavailable`.
        """
        refused: list[ConfigurationError] = []

        def job(connection: apsw.Connection) -> bool:
            try:
                sqlite_rewrap.rewrap(connection, anew)
            except ConfigurationError as error:
                refused.append(error)
            return not refused

        await self._make_recorded(job, [event])
        if refused:
            raise refused[0]

    async def keep_policy_set(
        self, version: str, content: bytes, now: float, *, new_ids: Sequence[str] = ()
    ) -> bool:
        """Keep a set as the last that ran, in place of one of its version; tell whether it is kept.

        It is not when an account that was made has, or had, one of `new_ids`. `now` is in seconds
        since the epoch. Raises `Unavailable`.
        """
        return await self._writer.run(
            lambda connection: sqlite_policy_sets.keep(connection, version, content, now, new_ids)
        )

    async def prune_events(self, last: Position, beginning: str) -> int:
        """Delete the events up to `last`, as the port says. Raises `Unavailable`."""
        return await self._writer.run(
            lambda connection: sqlite_retention.prune(connection, last, beginning)
        )

    async def forget_policy_sets(self, keep: int) -> int:
        """Delete the kept sets that no event names, but the last ones. Raises `Unavailable`."""
        unnamed = await self._read(lambda connection: sqlite_retention.unnamed(connection, keep))
        if not unnamed:
            return 0
        return await self._writer.run(
            lambda connection: sqlite_retention.forget(connection, unnamed)
        )

    async def erase_claims(self, sequences: Sequence[int]) -> int:
        """Erase the claims of some events, as the port says. Raises `Unavailable`."""
        return await self._writer.run(
            lambda connection: sqlite_erasure.erase(connection, sequences)
        )

    async def rewrite_file(self) -> None:
        """Write the whole file anew, without what lies in its unused parts. Raises `Unavailable`.

        Nobody else can write meanwhile.
        """
        await self._writer.run(sqlite_erasure.rewrite)

    async def ready(self) -> bool:
        """Tell whether the store can be written, by a proof that is at most a second old."""
        if 0 <= self._clock.now() - self._proved_at < _READY_SECONDS:
            return True
        try:
            if self._proof is None or self._proof.done():
                self._proof = self._writer.run(sqlite_ledger.prove_writable)
            # Shielded, because others may wait for the same proof.
            await asyncio.shield(self._proof)
        except Unavailable:
            return False
        self._proved_at = self._clock.now()
        return True

    async def close(self) -> None:
        """Write what waits and let go of the file."""
        await self._writer.close()
        await self._short_queries.close()

    async def _read_shortly(self, query: Callable[[apsw.Connection], Result]) -> Result:
        try:
            return await self._short_queries.read(query)
        except apsw.Error:
            raise unreadable() from None

    async def _make_recorded(
        self, change: Callable[[apsw.Connection], bool], events: Sequence[AuditEvent]
    ) -> bool:
        """Make a change and append its events in one transaction.

        `change` tells whether it was made; if not, it has written nothing.
        """
        pending = [PendingEntry.of(Entry(event)) for event in events]

        def job(connection: apsw.Connection) -> bool:
            with transaction(connection):
                if not change(connection):
                    return False
                appended = sqlite_ledger.append(connection, pending, self._clock.now())
            if self._in_order is not None:
                self._in_order.hold(each.event for each in appended if each is not None)
            return True

        made = await self._writer.run(job)
        in_order = self._in_order
        if made and in_order is not None:
            # It has happened: that the store closes in between takes nothing of that back.
            with contextlib.suppress(Unavailable):
                await self._writer.run(lambda _: in_order.flush())
        return made


def _open(path: Path, used_from: float | None, *, begun: bool) -> apsw.Connection:
    connection = open_for_writing(path, serving=begun)
    if used_from is None:
        return connection
    try:
        sqlite_state.take_into_use(connection, used_from)
    except apsw.Error as error:
        connection.close()
        raise unusable(path, explain(error)) from None
    return connection
