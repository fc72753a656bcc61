"""Finding out which client has sent a secret, alike for whatever is wrong with it (CA-11)."""

from dataclasses import dataclass, field

from broker.core import client_secret
from broker.core.client import Client, account_of, client_of
from broker.core.errors import Reason, RequestRefused
from broker.core.policy import ServiceAccount
from broker.grants.rate_limits import RateLimits
from broker.grants.request import Caller, Credentials
from broker.ports import AccountSource, Clock, PolicySource


@dataclass(frozen=True, slots=True)
class ClientAuthentication:
    """Knows clients by their secrets; `pepper` is the key of the secrets' digests."""

    accounts: AccountSource
    policies: PolicySource
    limits: RateLimits
    clock: Clock
    pepper: bytes = field(repr=False)

    async def require(self, credentials: Credentials, caller: Caller) -> Client:
        """Give the client that the credentials prove.

        Raises `RequestRefused` (`client_unknown_or_bad_secret`), `RateLimited` in its place, and
        `Unavailable`. What is read from the store depends on the secret alone, so that the time
        tells nothing of the id (attacks row 122).
        """
        client = await self._find(credentials.secret, credentials.client_id, caller.client_address)
        if client is None:
            await self.limits.failed_account(caller, credentials.client_id, self.clock.now())
            raise RequestRefused(
                Reason.CLIENT_UNKNOWN_OR_BAD_SECRET,
                "the client is unknown or its credentials are wrong; a CI job needs none here",
                with_basic=credentials.with_basic,
            )
        return client

    async def by_key(self, key: str, address: str | None) -> Client | None:
        """Give the client whose secret is sent alone, as an API key. Raises `Unavailable`."""
        return await self._find(key, None, address)

    async def account(self, client_id: str) -> ServiceAccount | None:
        """Give the account of an id that may do something now. Raises `Unavailable`."""
        return account_of(
            client_id,
            await self.accounts.account(client_id),
            await self.accounts.override(client_id),
            self.policies.current().policy_set,
            self.clock.now(),
        )

    async def _find(self, text: str, client_id: str | None, address: str | None) -> Client | None:
        digest = client_secret.digest(text, self.pepper)
        if not client_secret.is_well_formed(text):
            # Mistyped, or cut by whoever copied it: no secret of ours is like that.
            return None
        secret = await self.accounts.secret_of_digest(digest)
        if secret is None or client_id not in (None, secret.client_id):
            return None
        return client_of(
            secret,
            secret.client_id,
            await self.accounts.account(secret.client_id),
            await self.accounts.override(secret.client_id),
            self.policies.current().policy_set,
            address,
            self.clock.now(),
        )
