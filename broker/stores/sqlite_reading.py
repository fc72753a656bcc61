"""Reading a store in one SQLite file, beside the processes that write to it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import apsw

from broker.core.audit_chain import Position, StoredEvent
from broker.core.errors import Reason, Unavailable
from broker.ports import (
    ChainPage,
    ClaimsFilter,
    EventFilter,
    EventPage,
    KeptPolicySet,
    SigningKeyRow,
)
from broker.stores import (
    sqlite_audit,
    sqlite_erasure,
    sqlite_ledger,
    sqlite_policy_sets,
    sqlite_signing_keys,
    sqlite_state,
)
from broker.stores.sqlite_event_pages import EventPageQuery
from broker.stores.sqlite_file import open_for_reading

Result = TypeVar("Result")


class SqliteReading:
    """What can be asked of a store. Every query raises `Unavailable`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def state_epoch(self) -> int:
        """Read how often what decides has changed."""
        return await self._read(sqlite_state.read_epoch)

    async def sealed_row(self, name: str) -> bytes | None:
        """Find the content of a sealed row."""
        return await self._read(lambda connection: sqlite_state.find_sealed(connection, name))

    async def signing_key_rows(self) -> list[SigningKeyRow]:
        """List every row."""
        return await self._read(sqlite_signing_keys.read)

    async def policy_set(self, version: str) -> bytes | None:
        """Find the content of a kept set."""
        return await self._read(lambda connection: sqlite_policy_sets.find(connection, version))

    async def last_policy_set(self) -> KeptPolicySet | None:
        """Find the set that came into force last."""
        return await self._read(sqlite_policy_sets.last)

    async def find_events(
        self, wanted: EventFilter, *, after: int = 0, limit: int = 100
    ) -> list[StoredEvent]:
        """Find events behind the one with the number `after`, oldest first."""
        return await self._read(sqlite_audit.EventQuery(wanted, after, limit).run)

    async def event_page(
        self, wanted: EventFilter, *, before: int | None = None, limit: int = 100
    ) -> EventPage:
        """Find the newest events with numbers below `before`."""
        return await self._read(EventPageQuery(wanted, before, limit).run)

    async def chain_page(self, after: int, limit: int) -> ChainPage:
        """Read the chain from behind an event on, whatever is in it."""
        return await self._read(lambda connection: sqlite_audit.page(connection, after, limit))

    async def chain_end(self) -> Position | None:
        """Find the last event; None when there is none."""
        return await self._read(sqlite_audit.end)

    async def events_with_claims(self, wanted: ClaimsFilter) -> list[int]:
        """Name the events whose claims are meant, by their numbers, oldest first."""
        return await self._read(lambda connection: sqlite_erasure.find(connection, wanted))

    async def events(
        self, *, decision_id: str | None = None, after_seq: int = 0, limit: int = 100
    ) -> list[dict[str, Any]]:
        """List events as JSON members, oldest first."""
        return await self._read(
            lambda connection: sqlite_ledger.read_events(connection, decision_id, after_seq, limit)
        )

    async def token_was_issued(self, token_id: str) -> bool:
        """Tell whether a token with this id is on record."""
        return await self._read(
            lambda connection: sqlite_ledger.token_was_issued(connection, token_id)
        )

    async def _read(self, query: Callable[[apsw.Connection], Result]) -> Result:
        """Run a query on a connection of its own, so that no commit waits for a reader."""
        try:
            return await asyncio.to_thread(self._query, query)
        except apsw.Error:
            raise Unavailable(Reason.STORE_UNAVAILABLE, "the store cannot be read") from None

    def _query(self, query: Callable[[apsw.Connection], Result]) -> Result:
        connection = open_for_reading(self._path)
        try:
            return query(connection)
        finally:
            connection.close()
