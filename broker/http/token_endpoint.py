"""The token endpoint: `/oauth/token`, and `/api/v1/auth/token` which also takes JSON."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from broker.core.errors import Reason, RequestRefused
from broker.core.vocabulary import (
    GRANT_CLIENT_CREDENTIALS,
    GRANT_JWT_BEARER,
    GRANT_TOKEN_EXCHANGE,
)
from broker.grants import federated_client, jwt_bearer, token_exchange
from broker.grants.client_credentials import ClientCredentials
from broker.grants.request import (
    AssertedCredentials,
    Caller,
    IssuedToken,
    Parameters,
    required,
)
from broker.grants.token_exchange import TokenExchange
from broker.http.answers import NO_STORE, Answer, json_text, json_text_answer

_EXCHANGES: Final = {
    GRANT_TOKEN_EXCHANGE: token_exchange.read_request,
    GRANT_JWT_BEARER: jwt_bearer.read_request,
}
GRANT_TYPES: Final = (*_EXCHANGES, GRANT_CLIENT_CREDENTIALS)


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Serves every grant."""

    exchange: TokenExchange
    client_credentials: ClientCredentials

    async def serve(self, parameters: Parameters, caller: Caller) -> Answer:
        """Find the grant, read its parameters, and answer with a token. Raises `Refusal`."""
        grant_type = required(parameters, "grant_type")
        read_exchange = _EXCHANGES.get(grant_type)
        if read_exchange is not None:
            issued = await self.exchange.exchange(read_exchange(parameters, caller))
        elif grant_type == GRANT_CLIENT_CREDENTIALS:
            issued = await self._for_client(parameters, caller)
        else:
            known = ", ".join(GRANT_TYPES)
            raise RequestRefused(
                Reason.GRANT_TYPE_UNSUPPORTED, f"'grant_type' must be one of: {known}"
            )
        return _granted(issued, grant_type)

    async def _for_client(self, parameters: Parameters, caller: Caller) -> IssuedToken:
        credentials = caller.credentials
        if isinstance(credentials, AssertedCredentials) and credentials.token is None:
            exchange = federated_client.read_request(parameters, credentials, caller)
            return await self.exchange.exchange(exchange)
        return await self.client_credentials.issue(parameters, caller)


def _granted(issued: IssuedToken, grant_type: str) -> Answer:
    """Answer with a token (RFC 6749 §5.1, RFC 8693 §2.2.1); what is absent is left out."""
    token_type = issued.token_type if grant_type == GRANT_TOKEN_EXCHANGE else None
    beside = _beside(token_type, issued.expires_in, issued.scope, issued.service_account)
    # Neither a token nor an id has anything that JSON would escape.
    answer = json_text_answer(
        200,
        f'{{"access_token":"{issued.access_token}",{beside},"token_id":"{issued.token_id}"}}',
        NO_STORE,
    )
    answer.decision_id = issued.decision_id
    return answer


@lru_cache(maxsize=1024)
def _beside(
    issued_token_type: str | None, expires_in: int, scope: str | None, service_account: str
) -> str:
    """Write the members that are the same for many tokens, without the braces."""
    members: dict[str, Any] = {}
    if issued_token_type is not None:
        members["issued_token_type"] = issued_token_type
    members |= {"token_type": "Bearer", "expires_in": expires_in}
    if scope is not None:
        members["scope"] = scope
    members["service_account"] = service_account
    return json_text(members)[1:-1]
