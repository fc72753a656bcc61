"""The token endpoint: `/oauth/token`, and `/api/v1/auth/token` which also takes JSON.

The order of checks is fixed, so that the same fault always gets the same answer: method, media
type and size, query, repeated parameters, client credentials, grant type, grant parameters; then
the grant.
"""

from dataclasses import dataclass
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from broker.core.errors import Reason, Refusal, RequestRefused
from broker.core.refusal_counts import RefusalCounts
from broker.core.vocabulary import (
    GRANT_JWT_BEARER,
    GRANT_TOKEN_EXCHANGE,
    TOKEN_TYPE_ACCESS_TOKEN,
)
from broker.grants import jwt_bearer, token_exchange
from broker.grants.request import Caller, IssuedToken, Parameters, required
from broker.grants.token_exchange import TokenExchange
from broker.http.answers import NO_STORE, Answer, json_answer, refusal_answer
from broker.http.caller import Networks, caller_of
from broker.http.client_credentials import refuse_credentials
from broker.http.parameters import ClientDisconnected, read_parameters
from broker.ports import Clock

_READERS: Final = {
    GRANT_TOKEN_EXCHANGE: token_exchange.read_request,
    GRANT_JWT_BEARER: jwt_bearer.read_request,
}
GRANT_TYPES: Final = tuple(_READERS)


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """An ASGI endpoint that serves every grant."""

    exchange: TokenExchange
    refusal_counts: RefusalCounts
    clock: Clock
    trusted_proxies: Networks
    json_allowed: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        caller = caller_of(scope, self.trusted_proxies)
        grant_type = None
        try:
            parameters = await read_parameters(scope, receive, json_allowed=self.json_allowed)
            refuse_credentials(scope, parameters)
            grant_type = _grant_type(parameters)
            request = _READERS[grant_type](parameters, caller)
            answer = _granted(await self.exchange.exchange(request), grant_type)
        except Refusal as refusal:
            answer = self._refused(refusal, grant_type, caller)
        except ClientDisconnected:
            return
        await answer(scope, receive, send)

    def _refused(self, refusal: Refusal, grant_type: str | None, caller: Caller) -> Answer:
        if refusal.decision_id is None:
            refusal.decision_id = self.refusal_counts.count(
                refusal.reason, caller.client_address, self.clock.now()
            )
        return refusal_answer(refusal, grant_type)


def _grant_type(parameters: Parameters) -> str:
    grant_type = required(parameters, "grant_type")
    if grant_type not in _READERS:
        raise RequestRefused(
            Reason.GRANT_TYPE_UNSUPPORTED, "'grant_type' must be one of: " + ", ".join(GRANT_TYPES)
        )
    return grant_type


def _granted(issued: IssuedToken, grant_type: str) -> Answer:
    """Answer with a token (RFC 6749 §5.1, RFC 8693 §2.2.1); what is absent is left out."""
    members: dict[str, Any] = {"access_token": issued.access_token}
    if grant_type == GRANT_TOKEN_EXCHANGE:
        members["issued_token_type"] = TOKEN_TYPE_ACCESS_TOKEN
    members |= {"token_type": "Bearer", "expires_in": issued.expires_in}
    if issued.scope is not None:
        members["scope"] = issued.scope
    members |= {"service_account": issued.service_account, "token_id": issued.token_id}
    return json_answer(200, members, NO_STORE)
