"""Finding out which client sent a secret or an assertion, alike for whatever is wrong (CA-11)."""

from dataclasses import dataclass, field

from broker.core import client_assertion, client_secret
from broker.core.account_id import is_account_id
from broker.core.client import (
    Client,
    LiveAccount,
    account_of,
    account_of_token,
    client_of,
    describe,
    live_account,
)
from broker.core.decision import DecisionRequest, blocked
from broker.core.errors import Reason, RequestRefused
from broker.core.policy import ServiceAccount
from broker.core.vocabulary import INVALID_CLIENT
from broker.grants.rate_limits import RateLimits
from broker.grants.request import AssertedCredentials, Caller, Credentials
from broker.ports import AccountSource, ClientKeySource, Clock, PolicySource


@dataclass(frozen=True, slots=True)
class ClientAuthentication:
    """Knows clients by their secrets, and by the keys that were registered for them.

    `pepper` is the key of the secrets' digests, `issuer` the broker's own URL.
    """

    accounts: AccountSource
    policies: PolicySource
    client_keys: ClientKeySource
    limits: RateLimits
    clock: Clock
    issuer: str
    pepper: bytes = field(repr=False)

    async def require(
        self, credentials: Credentials | AssertedCredentials, caller: Caller
    ) -> Client:
        """Give the client that the credentials prove.

        Raises `RequestRefused` (`client_unknown_or_bad_secret`), `RateLimited` in its place, and
        `Unavailable`. What is read from the store for a secret depends on the secret alone, so that
        the time tells nothing of the id (attacks row 122). That an assertion is used once, the
        grant sees to.
        """
        if isinstance(credentials, AssertedCredentials):
            return await self._require_assertion(credentials, caller)
        client = await self._find(credentials.secret, credentials.client_id, caller.client_address)
        if client is None:
            raise await self._unknown(
                caller, credentials.client_id, with_basic=credentials.with_basic
            )
        return client

    async def require_unblocked(
        self, credentials: Credentials | AssertedCredentials, caller: Caller
    ) -> Client:
        """Give the client as `require` does, for endpoints that decide nothing by themselves.

        Raises what `require` raises, and `RequestRefused` (`blocked`) while a block holds for it.
        """
        client = await self.require(credentials, caller)
        account, blocks = client.account, self.policies.current().blocks
        if blocks and (block := blocks.of_account((account.client_id,), self.clock.now())):
            raise RequestRefused(
                Reason.BLOCKED,
                describe(blocked(block), DecisionRequest(), account),
                error=INVALID_CLIENT,
            )
        return client

    async def by_key(self, key: str, address: str | None) -> Client | None:
        """Give the client whose secret is sent alone, as an API key. Raises `Unavailable`."""
        return await self._find(key, None, address)

    async def account(
        self, client_id: str, issued_at: int, address: str | None
    ) -> ServiceAccount | None:
        """Give the account of a token if it may do something here and now. Raises `Unavailable`.

        `issued_at` is the second in which the token was issued.
        """
        return account_of(
            client_id,
            await self.accounts.account(client_id),
            await self.accounts.override(client_id),
            self.policies.current().policy_set,
            address,
            self.clock.now(),
            issued_at=issued_at,
        )

    async def account_of_token(self, client_id: str, issued_at: int) -> ServiceAccount | None:
        """Give the account that a token still stands for, wherever it is. Raises `Unavailable`.

        `issued_at` is the second in which the token was issued.
        """
        return account_of_token(
            client_id,
            await self.accounts.account(client_id),
            await self.accounts.override(client_id),
            self.policies.current().policy_set,
            self.clock.now(),
            issued_at=issued_at,
        )

    async def _require_assertion(self, credentials: AssertedCredentials, caller: Caller) -> Client:
        token = credentials.token
        if token is None:
            raise RequestRefused(
                Reason.CLIENT_UNKNOWN_OR_BAD_SECRET,
                "the client assertion is none that a client signed itself, with its id as 'iss' and"
                " 'sub'; a CI token is one for client_credentials alone, with a 'client_id'",
            )
        now = self.clock.now()
        assertion = client_assertion.read(token, credentials.client_id, self.issuer, now)
        live = await self._live(assertion.client_id, caller.client_address)
        keys = () if live is None else await self.client_keys.find(live, assertion.key_id)
        key = assertion.signed_by(keys)
        if not keys:
            assertion.verify_in_vain()
        if live is None or key is None:
            raise await self._unknown(caller, assertion.client_id)
        return Client(live.account, key_id=key.key_id, assertion=assertion)

    async def _unknown(
        self, caller: Caller, client_id: str, *, with_basic: bool = False
    ) -> RequestRefused:
        """Count the failure, and say the same whatever was wrong. Raises `RateLimited`."""
        await self.limits.failed_account(caller, client_id, self.clock.now())
        return RequestRefused(
            Reason.CLIENT_UNKNOWN_OR_BAD_SECRET,
            "the client is unknown or its credentials are wrong; a CI job needs none here",
            with_basic=with_basic,
        )

    async def _live(self, client_id: str, address: str | None) -> LiveAccount | None:
        if not is_account_id(client_id):
            # It may be as long as a token: nothing of it is looked for, nor held.
            return None
        return live_account(
            client_id,
            await self.accounts.account(client_id),
            await self.accounts.override(client_id),
            self.policies.current().policy_set,
            address,
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
