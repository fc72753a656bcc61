"""Revoking a service token before it is over (RFC 7009): by itself, its account, or an operator.

What verifies tokens by itself never hears of it, which is why their life is short; the broker's own
API and introspection do at once.
"""

from dataclasses import dataclass
from typing import Final

from broker.core import own_token
from broker.core.audit import AuditEvent
from broker.core.broker_service import BROKER_SERVICE
from broker.core.client import Client
from broker.core.errors import Reason, RequestRefused
from broker.core.own_token import OwnToken, OwnTokenRefused
from broker.core.vocabulary import MAX_LEEWAY, UNSUPPORTED_TOKEN_TYPE
from broker.grants.client_authentication import ClientAuthentication
from broker.grants.request import Caller, Parameters, required, single
from broker.ports import Clock, Identifiers, PolicySource, Revocations, SigningKeySource

MAY_END_ACCOUNTS: Final = "broker:accounts:write"
"""Whoever may end an account may end its tokens."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """Revokes tokens. `issuer` is the broker's own URL."""

    authentication: ClientAuthentication
    signing_keys: SigningKeySource
    policies: PolicySource
    revocations: Revocations
    clock: Clock
    identifiers: Identifiers
    issuer: str

    async def revoke(self, parameters: Parameters, caller: Caller) -> None:
        """Serve one request; a token that is none of ours, or over, needs nothing (RFC 7009 §2.2).

        Raises `RequestRefused` and `Unavailable`.
        """
        # 1 authenticate the client, if there is one: bad credentials fail the request
        client = None
        if caller.credentials is not None:
            client = await self.authentication.require_unblocked(caller.credentials, caller)
        # 2 read the token
        token = self._read(parameters)
        if token is None:
            return
        # 3 may it be revoked by this client? Whoever shows no credentials shows the token
        if client is not None and not self._may_revoke(client, token):
            raise RequestRefused(
                Reason.GRANT_NOT_ALLOWED,
                "the token is another account's: it stays; send it without client credentials, or"
                f" with those of its account or of one that is granted {MAY_END_ACCOUNTS} and no"
                " less at the broker than the token",
            )
        # 4 make it durable, with its record
        event = self._event(token, client, caller)
        await self.revocations.revoke_token(token.token_id, token.expires_at, event)

    def _read(self, parameters: Parameters) -> OwnToken | None:
        text = required(parameters, "token")
        if single(parameters, "token_type_hint") not in (None, "access_token"):
            raise RequestRefused(
                Reason.UNSUPPORTED_TOKEN_TYPE,
                "'token_type_hint' must be access_token: there are no other tokens to revoke",
                error=UNSUPPORTED_TOKEN_TYPE,
            )
        keys, now = self.signing_keys.current(), self.clock.now()
        try:
            token = own_token.read_for_any(text, keys, self.issuer, now)
        except OwnTokenRefused:
            return None
        # By another clock it may count already, or still: a revocation is not to be lost to that.
        return token if now < token.expires_at + MAX_LEEWAY else None

    def _event(self, token: OwnToken, client: Client | None, caller: Caller) -> AuditEvent:
        now = self.clock.now()
        return AuditEvent(
            id=self.identifiers.new(now),
            time=now,
            type="token.revoked",
            outcome="success",
            request_id=caller.request_id,
            client_address=caller.client_address,
            service_account=token.client_id,
            sub=token.sub,
            audience=token.audience,
            token_id=token.token_id,
            policy_set=self.policies.current().policy_set.version,
            actor="the token itself" if client is None else client.account.client_id,
        )

    def _may_revoke(self, client: Client, token: OwnToken) -> bool:
        account = client.account
        if account.client_id == token.client_id:
            return True
        if account.organization not in (None, token.organization):
            return False
        held = account.grants.get(BROKER_SERVICE, frozenset())
        # As an account that is stronger cannot be ended, so its tokens (attacks row 141).
        stronger = token.audience == self.issuer and not token.scopes <= held
        return MAY_END_ACCOUNTS in held and not stronger
