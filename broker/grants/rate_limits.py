"""Where rate limits are asked: who is counted under which, and what is answered (contract §5).

Three limits: `address` counts every request of an address, `client` those of an account or
workload, `failed` those that were refused. Credentials come first: only what is refused anyhow is
asked of `failed`, which puts another refusal in its place. So nobody can use up the tries of
somebody who holds a good token or secret.
"""

from collections.abc import Awaitable
from typing import Final

from broker.core.claims import Claims, text_of
from broker.core.errors import RateLimited, Reason, Refusal, Unavailable
from broker.core.limits import Rate
from broker.core.policy import Issuer
from broker.core.refusal_counts import RefusalCounts, address_prefix
from broker.grants.limit_table import LimitTable, Sharing, Waiting
from broker.grants.request import MAX_CLIENT_ID_LENGTH, Caller
from broker.ports import NOT_MEASURED, Measurements

_LONGEST_TENANT: Final = 255
"""Characters that tell tenants apart: names and ids have fewer, and memory is bounded."""

_ADDRESS: Final = "too many requests from this address"
_CLIENT: Final = "too many requests of this client"
_FAILED: Final = "too many requests that failed; what was wrong with this one is not said any more"


class RateLimits:
    """The limits of a broker; one that is None is off.

    What they refuse is counted (`refusal_counts`), never an event of its own.
    """

    def __init__(
        self,
        sharing: Sharing,
        refusal_counts: RefusalCounts,
        *,
        client: Rate | None = None,
        address: Rate | None = None,
        failed: Rate | None = None,
        measurements: Measurements = NOT_MEASURED,
    ) -> None:
        def table(name: str, rate: Rate | None) -> LimitTable | None:
            return None if rate is None else LimitTable(name, rate, sharing)

        self._refusal_counts = refusal_counts
        self._measurements = measurements
        self._client = table("client", client)
        self._address = table("address", address)
        # Apart, so that a flood of one kind drops nobody of another.
        self._failed_addresses = table("failed address", failed)
        self._failed_tenants = table("failed tenant", failed)
        self._failed_accounts = table("failed account", failed)
        self._failures = {self._failed_addresses, self._failed_tenants, self._failed_accounts}

    def ask_address(self, caller: Caller, now: float) -> Awaitable[None] | None:
        """Count a request of an address, before anything of it is read.

        Gives what has to be awaited before the request goes on, if anything. Raises `RateLimited`,
        as does that, with its `decision_id`.
        """
        if self._address is None:
            return None
        return self._ask(self._address, _prefix(caller), _ADDRESS, caller, now)

    def ask_client(self, caller: Caller, sub: str, now: float) -> Awaitable[None] | None:
        """Count a request of a service account that is authenticated, and permitted what it asks.

        `sub` is the account's id, or its instance's. Otherwise like `ask_address`.
        """
        if self._client is None:
            return None
        return self._ask(self._client, sub, _CLIENT, caller, now)

    def ask_workload(
        self, caller: Caller, issuer: Issuer, claims: Claims, now: float
    ) -> Awaitable[None] | None:
        """Count a request of a CI job that acts as no account; otherwise like `ask_client`."""
        if self._client is None:
            return None
        # No account's id has such a beginning.
        return self._ask(self._client, f"\0{_tenant(issuer, claims)}", _CLIENT, caller, now)

    async def failed_before_signature(self, refusal: Refusal, caller: Caller, now: float) -> None:
        """Count a request that is refused while nobody knows whose it is.

        Raises `RateLimited`, with its `decision_id`, when that is to be answered in the refusal's
        place; then nothing else is recorded. So do the other two. A request counts once: by the
        first of them that is asked.
        """
        # That the broker cannot serve is no fault of the caller's.
        if not isinstance(refusal, Unavailable | RateLimited):
            await self._failed(self._failed_addresses, _prefix(caller), caller, now)

    async def failed_token(
        self, caller: Caller, issuer: Issuer, claims: Claims, now: float
    ) -> None:
        """Count a CI token that is refused although its signature holds: by issuer and tenant."""
        await self._failed(self._failed_tenants, _tenant(issuer, claims), caller, now)

    async def failed_account(self, caller: Caller, client_id: str, now: float) -> None:
        """Count a wrong secret or assertion for a `client_id`, whether or not there is one.

        By address and account, so that nobody locks an account by its name.
        """
        key = f"{_prefix(caller)}\0{client_id[:MAX_CLIENT_ID_LENGTH]}"
        await self._failed(self._failed_accounts, key, caller, now)

    def _ask(
        self, table: LimitTable, key: str, description: str, caller: Caller, now: float
    ) -> Awaitable[None] | None:
        if table in caller.counted:
            return None
        caller.counted.add(table)
        answer = table.ask(key, now)
        if answer == 0:
            return None
        if isinstance(answer, int):
            raise self._refused(table, description, answer, caller, now)
        return self._ask_all(table, answer, description, caller, now)

    async def _ask_all(
        self, table: LimitTable, waiting: Waiting, description: str, caller: Caller, now: float
    ) -> None:
        seconds = await waiting
        if seconds:
            raise self._refused(table, description, seconds, caller, now)

    async def _failed(self, table: LimitTable | None, key: str, caller: Caller, now: float) -> None:
        # A request fails once, whoever finds that out first.
        if table is None or not self._failures.isdisjoint(caller.counted):
            return
        waiting = self._ask(table, key, _FAILED, caller, now)
        if waiting is not None:
            await waiting

    def _refused(
        self, table: LimitTable, description: str, seconds: int, caller: Caller, now: float
    ) -> RateLimited:
        self._measurements.rate_limited(table.name.partition(" ")[0])
        refusal = RateLimited(f"{description}; try again later", retry_after=seconds)
        refusal.decision_id = self._refusal_counts.count(
            Reason.RATE_LIMITED, caller.client_address, now
        )
        return refusal


def _prefix(caller: Caller) -> str:
    return address_prefix(caller.client_address) or ""


def _tenant(issuer: Issuer, claims: Claims) -> str:
    """Name whose token it is, as closely as the platform vouches for."""
    for claim in issuer.tenant_claims:
        value = text_of(claims.get(claim))
        if value is not None:
            return f"{issuer.name}\0{claim}\0{value[:_LONGEST_TENANT]}"
    return issuer.name
