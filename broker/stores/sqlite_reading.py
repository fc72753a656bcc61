"""Reading a store in one SQLite file, beside the processes that write to it."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import apsw

from broker.core.audit_chain import Position, StoredEvent
from broker.core.blocks import Block
from broker.core.errors import Reason, Unavailable
from broker.ports import (
    AccountRow,
    ChainPage,
    ClaimsFilter,
    EventFilter,
    EventPage,
    KeptPolicySet,
    SecretRow,
    SigningKeyRow,
)
from broker.stores import (
    sqlite_accounts,
    sqlite_audit,
    sqlite_blocks,
    sqlite_erasure,
    sqlite_issuers,
    sqlite_ledger,
    sqlite_policy_sets,
    sqlite_revocations,
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

    async def sealed_rows(self, names: Sequence[str]) -> dict[str, bytes]:
        """Find the contents of some sealed rows at once, by name."""
        return await self._read(lambda connection: sqlite_state.find_sealed_rows(connection, names))

    async def signing_key_rows(self) -> list[SigningKeyRow]:
        """List every row."""
        return await self._read(sqlite_signing_keys.read)

    async def policy_set(self, version: str) -> bytes | None:
        """Find the content of a kept set."""
        return await self._read(lambda connection: sqlite_policy_sets.find(connection, version))

    async def last_policy_set(self) -> KeptPolicySet | None:
        """Find the set that came into force last."""
        return await self._read(sqlite_policy_sets.last)

    async def account_row(self, client_id: str, kind: str) -> AccountRow | None:
        """Find a row, that of a deleted account included."""
        return await self._read(
            lambda connection: sqlite_accounts.find(connection, client_id, kind)
        )

    async def account_rows_of(self, client_ids: Sequence[str]) -> list[AccountRow]:
        """Find the rows of some accounts at once, those of deleted ones included."""
        return await self._read(lambda connection: sqlite_accounts.rows_of(connection, client_ids))

    async def account_rows(
        self, kind: str, *, organization: str | None, after: str, limit: int
    ) -> list[AccountRow]:
        """List rows that are not deleted, by id; those of one organization only, if given."""
        return await self._read(
            lambda connection: sqlite_accounts.page(connection, kind, organization, after, limit)
        )

    async def account_ids_within(self, organization: str) -> list[str]:
        """Name the accounts of an organization, the deleted ones included."""
        return await self._read(
            lambda connection: sqlite_accounts.ids_within(connection, organization)
        )

    async def count_accounts(self, organization: str | None) -> int:
        """Count the accounts of an organization that are not deleted; None is no organization."""
        return await self._read(lambda connection: sqlite_accounts.count(connection, organization))

    async def secret_row(self, digest: bytes) -> SecretRow | None:
        """Find a secret by its digest."""
        return await self._read(
            lambda connection: sqlite_accounts.secret_of_digest(connection, digest)
        )

    async def secret_rows(self, client_id: str) -> list[SecretRow]:
        """List the secrets of an account, the oldest first."""
        return await self._read(
            lambda connection: sqlite_accounts.secrets_of(connection, client_id)
        )

    async def having_secrets(self) -> list[str]:
        """Name the accounts that have secrets, by id."""
        return await self._read(sqlite_accounts.having_secrets)

    async def last_used(self, client_ids: Sequence[str]) -> dict[str, float]:
        """Tell when some accounts were last used."""
        return await self._read(
            lambda connection: sqlite_accounts.last_used(connection, client_ids)
        )

    async def given_ids(self, client_ids: Sequence[str]) -> frozenset[str]:
        """Say which ids have an account that was made, or had one."""
        return await self._read(lambda connection: sqlite_accounts.given(connection, client_ids))

    async def last_uses(self, client_id: str) -> dict[str, float]:
        """Tell when each secret of an account was last used, and the account under its id."""
        return await self._read(lambda connection: sqlite_accounts.last_uses(connection, client_id))

    async def find_events(
        self, wanted: EventFilter, *, after: int = 0, limit: int = 100
    ) -> list[StoredEvent]:
        """Find events behind the one with the number `after`, oldest first."""
        return await self._read(sqlite_audit.EventQuery(wanted, after, limit).run)

    async def event_page(
        self, wanted: EventFilter, *, behind: str | None = None, limit: int = 100
    ) -> EventPage:
        """Find the newest events, or those behind a position. Raises `ValueError`."""
        return await self._read(EventPageQuery(wanted, behind, limit).run)

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

    async def token_is_active(self, token_id: str, expires_at: int) -> bool:
        """Tell whether a token with this id is on record, and was not revoked."""
        return await self._read_shortly(
            lambda connection: sqlite_revocations.is_active(connection, token_id, expires_at)
        )

    async def event_of_token(self, token_id: str) -> dict[str, Any] | None:
        """Give the event of a token's issue as JSON members."""
        return await self._read_shortly(
            lambda connection: sqlite_revocations.event_of(connection, token_id)
        )

    async def blocks(self) -> list[Block]:
        """List the blocks, by id."""
        return await self._read(sqlite_blocks.listed)

    async def issuers_off(self) -> list[str]:
        """Name the issuers that were switched off."""
        return await self._read(sqlite_issuers.switched_off)

    async def _read_shortly(self, query: Callable[[apsw.Connection], Result]) -> Result:
        """Run a query that takes microseconds, which a store keeps a connection for."""
        return await self._read(query)

    async def _read(self, query: Callable[[apsw.Connection], Result]) -> Result:
        """Run a query on a connection of its own, so that no commit waits for a reader."""
        try:
            return await asyncio.to_thread(self._query, query)
        except apsw.Error:
            raise unreadable() from None

    def _query(self, query: Callable[[apsw.Connection], Result]) -> Result:
        connection = open_for_reading(self._path)
        try:
            return query(connection)
        finally:
            connection.close()


def unreadable() -> Unavailable:
    """Say that a store cannot be read."""
    return Unavailable(Reason.STORE_UNAVAILABLE, "the store cannot be read")
