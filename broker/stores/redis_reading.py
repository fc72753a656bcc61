"""Reading a store in Redis, beside the processes that write to it."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from broker.core.audit_chain import Position, StoredEvent
from broker.core.blocks import Block
from broker.core.errors import ConfigurationError, Problem, Reason, Unavailable
from broker.core.redis_address import RedisAddress
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
    redis_accounts,
    redis_audit,
    redis_blocks,
    redis_event_pages,
    redis_issuers,
    redis_policy_sets,
    redis_revocations,
    redis_signing_keys,
    redis_state,
)
from broker.stores.redis_link import Link, LinkLost, LinkRefused, open_link
from broker.stores.redis_primary import has_schema

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
Query = Callable[[Link], Awaitable[Result]]


class RedisReading:
    """What can be asked of a store. Every query raises `Unavailable`."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._found = False

    async def state_epoch(self) -> int:
        """Read how often what decides has changed."""
        return await self._read(redis_state.read_epoch)

    async def sealed_row(self, name: str) -> bytes | None:
        """Find the content of a sealed row."""
        return await self._read(lambda link: redis_state.find_sealed(link, name))

    async def sealed_rows(self, names: Sequence[str]) -> dict[str, bytes]:
        """Find the contents of some sealed rows at once, by name."""
        return await self._read(lambda link: redis_state.find_sealed_rows(link, names))

    async def signing_key_rows(self) -> list[SigningKeyRow]:
        """List every row."""
        return await self._read(redis_signing_keys.read)

    async def policy_set(self, version: str) -> bytes | None:
        """Find the content of a kept set."""
        return await self._read(lambda link: redis_policy_sets.find(link, version))

    async def last_policy_set(self) -> KeptPolicySet | None:
        """Find the set that came into force last."""
        return await self._read(redis_policy_sets.last)

    async def account_row(self, client_id: str, kind: str) -> AccountRow | None:
        """Find a row, that of a deleted account included."""
        return await self._read(lambda link: redis_accounts.find(link, client_id, kind))

    async def account_rows_of(self, client_ids: Sequence[str]) -> list[AccountRow]:
        """Find the rows of some accounts at once, those of deleted ones included."""
        return await self._read(lambda link: redis_accounts.rows_of(link, client_ids))

    async def account_rows(
        self, kind: str, *, organization: str | None, after: str, limit: int
    ) -> list[AccountRow]:
        """List rows that are not deleted, by id; those of one organization only, if given."""
        return await self._read(
            lambda link: redis_accounts.page(link, kind, organization, after, limit)
        )

    async def account_ids_within(self, organization: str) -> list[str]:
        """Name the accounts of an organization, the deleted ones included."""
        return await self._read(lambda link: redis_accounts.ids_within(link, organization))

    async def count_accounts(self, organization: str | None) -> int:
        """Count the accounts of an organization that are not deleted; None is no organization."""
        return await self._read(lambda link: redis_accounts.count(link, organization))

    async def secret_row(self, digest: bytes) -> SecretRow | None:
        """Find a secret by its digest."""
        return await self._read(lambda link: redis_accounts.secret_of_digest(link, digest))

    async def secret_rows(self, client_id: str) -> list[SecretRow]:
        """List the secrets of an account, the oldest first."""
        return await self._read(lambda link: redis_accounts.secrets_of(link, client_id))

    async def having_secrets(self) -> list[str]:
        """Name the accounts that have secrets, by id."""
        return await self._read(redis_accounts.having_secrets)

    async def last_used(self, client_ids: Sequence[str]) -> dict[str, float]:
        """Tell when some accounts were last used."""
        return await self._read(lambda link: redis_accounts.last_used(link, client_ids))

    async def last_uses(self, client_id: str) -> dict[str, float]:
        """Tell when each secret of an account was last used, and the account under its id."""
        return await self._read(lambda link: redis_accounts.last_uses(link, client_id))

    async def given_ids(self, client_ids: Sequence[str]) -> frozenset[str]:
        """Say which ids have an account that was made, or had one."""
        return await self._read(lambda link: redis_accounts.given(link, client_ids))

    async def find_events(
        self, wanted: EventFilter, *, after: int = 0, limit: int = 100
    ) -> list[StoredEvent]:
        """Find events behind the one with the number `after`, oldest first."""
        return await self._read(lambda link: redis_audit.find(link, wanted, after, limit))

    async def event_page(
        self, wanted: EventFilter, *, behind: str | None = None, limit: int = 100
    ) -> EventPage:
        """Find the newest events, or those behind a position. Raises `ValueError`."""
        return await self._read(
            lambda link: redis_event_pages.event_page(link, wanted, behind, limit)
        )

    async def chain_page(self, after: int, limit: int) -> ChainPage:
        """Read the chain from behind an event on, whatever is in it."""
        return await self._read(lambda link: redis_audit.page(link, after, limit))

    async def chain_end(self) -> Position | None:
        """Find the last event; None when there is none."""
        return await self._read(redis_audit.end)

    async def events_with_claims(self, wanted: ClaimsFilter) -> list[int]:
        """Name the events whose claims are meant, by their numbers, oldest first."""
        return await self._read(lambda link: redis_audit.with_claims(link, wanted))

    async def events(
        self, *, decision_id: str | None = None, after_seq: int = 0, limit: int = 100
    ) -> list[dict[str, Any]]:
        """List events as JSON members, oldest first."""
        wanted = EventFilter(decision_id=decision_id)
        found = await self.find_events(wanted, after=after_seq, limit=limit)
        return [event.members() for event in found]

    async def token_is_active(self, token_id: str, expires_at: int) -> bool:
        """Tell whether a token with this id is on record, and was not revoked."""
        [active] = await self._read(
            lambda link: redis_revocations.are_active(link, [(token_id, expires_at)])
        )
        return active

    async def event_of_token(self, token_id: str) -> dict[str, Any] | None:
        """Give the event of a token's issue as JSON members."""
        return await self._read(lambda link: redis_revocations.event_of(link, token_id))

    async def issuers_off(self) -> list[str]:
        """Name the issuers that were switched off."""
        return await self._read(redis_issuers.switched_off)

    async def blocks(self) -> list[Block]:
        """List the blocks, by id."""
        return await self._read(redis_blocks.listed)

    async def _read(self, query: Query[Result]) -> Result:
        """Run a query on a connection of its own, so that it may come from any event loop.

        The first one raises `ConfigurationError` when there is no store that can be read.
        """
        try:
            link = await open_link(self._address)
            try:
                if not self._found and not await has_schema(link):
                    raise LinkRefused(
                        "there is none yet; it is made when the broker is first started, by the"
                        " configuration that --config names"
                    )
                self._found = True
                return await query(link)
            finally:
                await link.close()
        except (LinkLost, LinkRefused) as error:
            raise (unreadable(error) if self._found else unusable(self._address, error)) from None


def unusable(address: RedisAddress, why: object) -> ConfigurationError:
    """Say that a store cannot be used."""
    return ConfigurationError([Problem(address.shown, 0, 0, f"the store cannot be used: {why}")])


def unreadable(error: Exception) -> Unavailable:
    """Say that a store cannot be read: why goes to the log, for it names servers and users."""
    logger.warning("the store cannot be read: %s", error)
    return Unavailable(Reason.STORE_UNAVAILABLE, "the store cannot be read")
