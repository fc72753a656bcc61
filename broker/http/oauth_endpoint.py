"""What every OAuth endpoint does around its own work: read, authenticate, answer refusals.

The order of checks is fixed, so that the same fault always gets the same answer: how often the
address asks, method, media type and size, query, repeated parameters, client credentials; then the
endpoint's own.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope, Send

from broker.core.errors import RateLimited, Refusal
from broker.core.refusal_counts import RefusalCounts
from broker.core.vocabulary import (
    GRANT_CLIENT_CREDENTIALS,
    GRANT_JWT_BEARER,
    GRANT_TOKEN_EXCHANGE,
)
from broker.grants.client_authentication import ClientAuthentication
from broker.grants.rate_limits import RateLimits
from broker.grants.request import Caller, Parameters, single
from broker.http.answers import Answer, refusal_answer
from broker.http.caller import Networks, caller_of
from broker.http.client_credentials import read_credentials
from broker.http.parameters import ClientDisconnected, read_parameters
from broker.ports import NONE, NOT_MEASURED, OTHER, Clock, Measurements, Told

_GRANTS: Final[Mapping[str | None, str]] = {
    None: NONE,
    GRANT_TOKEN_EXCHANGE: "token_exchange",
    GRANT_JWT_BEARER: "jwt_bearer",
    GRANT_CLIENT_CREDENTIALS: "client_credentials",
}

Serve = Callable[[Parameters, Caller], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class OAuthEndpoint:
    """An ASGI endpoint; `serve` does its work and may raise `Refusal`.

    `authenticates` tells of a request's parameters whether `serve` finds out itself who the client
    is.
    """

    serve: Serve
    authentication: ClientAuthentication
    refusal_counts: RefusalCounts
    limits: RateLimits
    clock: Clock
    trusted_proxies: Networks
    issuer: str
    """The broker's public URL, below which the links of refusals are."""

    authenticates: Callable[[Parameters], bool] = lambda _: False
    json_allowed: bool = False
    measurements: Measurements = NOT_MEASURED
    place: str = OTHER
    """The path of its route."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        caller = caller_of(scope, self.trusted_proxies)
        parameters: Parameters = {}
        try:
            if (waiting := self.limits.ask_address(caller, self.clock.now())) is not None:
                await waiting
            parameters = await read_parameters(scope, receive, json_allowed=self.json_allowed)
            credentials = read_credentials(scope, parameters)
            if credentials is not None:
                if not self.authenticates(parameters):
                    # Nothing needs them here, but bad ones fail the request (CA-10).
                    await self.authentication.require(credentials, caller)
                caller = Caller(
                    caller.request_id, caller.client_address, credentials, caller.counted
                )
            answer = await self.serve(parameters, caller)
            told, reason = Told(None, answer.decision_id), None
        except Refusal as refusal:
            answered = await self._recorded(refusal, caller)
            reason = answered.reason
            told = Told(answered.decided or reason, answered.decision_id)
            answer = refusal_answer(answered, single(parameters, "grant_type"), self.issuer)
        except ClientDisconnected:
            return
        grant = _GRANTS.get(single(parameters, "grant_type"), OTHER)
        self.measurements.oauth_answered(self.place, grant, reason)
        scope["state"]["told"] = told
        await answer(scope, receive, send)

    async def _recorded(self, refusal: Refusal, caller: Caller) -> Refusal:
        """Count a refusal that is not on record; give what is answered in its place."""
        if refusal.decision_id is None:
            now = self.clock.now()
            try:
                await self.limits.failed_before_signature(refusal, caller, now)
            except RateLimited as limited:
                return limited
            refusal.decision_id = self.refusal_counts.count(
                refusal.reason, caller.client_address, now
            )
        return refusal
