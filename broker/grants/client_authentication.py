"""Finding out which client has sent a secret, alike for whatever is wrong with it (CA-11)."""

from dataclasses import dataclass, field

from broker.core import client_secret
from broker.core.client import Client, client_of
from broker.core.errors import Reason, RequestRefused
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
        client = await self._find(credentials, caller)
        if client is None:
            await self.limits.failed_account(caller, credentials.client_id, self.clock.now())
            raise RequestRefused(
                Reason.CLIENT_UNKNOWN_OR_BAD_SECRET,
                "the client is unknown or its credentials are wrong; a CI job needs none here",
                with_basic=credentials.with_basic,
            )
        return client

    async def _find(self, credentials: Credentials, caller: Caller) -> Client | None:
        digest = client_secret.digest(credentials.secret, self.pepper)
        if not client_secret.is_well_formed(credentials.secret):
            # Mistyped, or cut by whoever copied it: no secret of ours is like that.
            return None
        secret = await self.accounts.secret_of_digest(digest)
        if secret is None or secret.client_id != credentials.client_id:
            return None
        return client_of(
            secret,
            credentials.client_id,
            await self.accounts.account(secret.client_id),
            await self.accounts.override(secret.client_id),
            self.policies.current().policy_set,
            caller.client_address,
            self.clock.now(),
        )
