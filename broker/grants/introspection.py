"""Whether a service token counts at this moment (RFC 7662), for who is meant to know.

A service that asks learns at once of a revocation and of the end of an account, which one that
verifies tokens by itself does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from broker.core import own_token
from broker.core.broker_service import BROKER_SERVICE
from broker.core.client import Client
from broker.core.errors import Reason, RequestRefused
from broker.core.own_token import OwnToken, OwnTokenRefused
from broker.core.policy import Service
from broker.grants.client_authentication import ClientAuthentication
from broker.grants.in_a_row import InARow
from broker.grants.last_uses import LastUses
from broker.grants.request import Caller, Parameters, required
from broker.grants.token_standing import TokenStanding
from broker.ports import Clock, PolicySource, SigningKeySource

SEES_ALL: Final = "broker:introspect"
"""Whoever holds it sees every token; with an organization, every token of that."""

INACTIVE: Final[Mapping[str, Any]] = {"active": False}
"""All that is said of a token that does not count, or not to the one who asks (RFC 7662 §2.2)."""


@dataclass(frozen=True, slots=True)
class Introspection:
    """Tells of tokens. `issuer` is the broker's own URL, `leeway` in seconds.

    The leeway is for the clocks of replicas: a token may have been issued a moment from now, but
    never counts for a moment longer.
    """

    authentication: ClientAuthentication
    signing_keys: SigningKeySource
    policies: PolicySource
    standing: TokenStanding
    last_uses: LastUses
    clock: Clock
    issuer: str
    leeway: float
    reading: InARow = field(default_factory=InARow, init=False)

    async def introspect(self, parameters: Parameters, caller: Caller) -> Mapping[str, Any]:
        """Serve one request: give the members of the answer.

        Raises `RequestRefused`, `RateLimited` and `Unavailable`.
        """
        # 1 authenticate the client: nobody else is told anything (RFC 7662 §2.1)
        client = await self._client(caller)
        # 2 read the token; there is only one kind, whatever the hint says
        token = await self.reading.do(partial(self._read, required(parameters, "token")))
        # 3 is it one that this client may know of?
        policy_set = self.policies.current().policy_set
        service = None if token is None else policy_set.service_by_audience(token.audience)
        if token is None or service is None or not _may_know(client, token, service):
            return INACTIVE
        # 4 does its account still have what it was issued for?
        account = await self.authentication.account_of_token(token.client_id, token.issued_at)
        if account is None or service.name not in account.grants:
            return INACTIVE
        # 5 is it on record, and neither revoked nor blocked?
        if not await self.standing.counts(token):
            return INACTIVE
        # 6 say what it says; a scope taken from the account since is gone
        return _members(token, account.grants[service.name])

    async def _client(self, caller: Caller) -> Client:
        if caller.credentials is None:
            raise RequestRefused(
                Reason.CLIENT_UNKNOWN_OR_BAD_SECRET,
                "introspection is for services: send the client credentials of an account that the"
                f" service lists under 'introspection', or that is granted {SEES_ALL}",
                with_basic=True,
            )
        client = await self.authentication.require_unblocked(caller.credentials, caller)
        self.last_uses.note(client.account.client_id, client.secret_id, self.clock.now())
        return client

    def _read(self, text: str) -> OwnToken | None:
        keys, now = self.signing_keys.current(), self.clock.now()
        try:
            token = own_token.read_for_any(text, keys, self.issuer, now)
        except OwnTokenRefused:
            return None
        return token if token.issued_at - self.leeway <= now < token.expires_at else None


def _may_know(client: Client, token: OwnToken, service: Service) -> bool:
    account = client.account
    if account.client_id == token.client_id or account.client_id in service.introspection:
        return True
    sees_all = SEES_ALL in account.grants.get(BROKER_SERVICE, ())
    return sees_all and account.organization in (None, token.organization)


def _members(token: OwnToken, granted: frozenset[str]) -> Mapping[str, Any]:
    members = {"active": True, **token.claims, "token_type": "Bearer"}
    if "scope" in members:
        scopes = [each for each in str(members["scope"]).split() if each in granted]
        members["scope"] = " ".join(scopes)
    return members
