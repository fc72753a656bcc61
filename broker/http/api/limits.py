"""Rate limits of `/api/v1`: the same as elsewhere, answered as problems."""

from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

from broker.core.errors import RateLimited, Reason, RequestRefused
from broker.grants.rate_limits import RateLimits
from broker.grants.request import Caller
from broker.http.answers import rate_limited_problem
from broker.http.api.bearer import ApiRefused
from broker.http.caller import Networks, caller_of
from broker.ports import Clock

_BAD_CREDENTIALS: Final = RequestRefused(Reason.CLIENT_UNKNOWN_OR_BAD_SECRET, "refused")


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """Asked before and after it is found out who calls."""

    limits: RateLimits
    clock: Clock
    trusted_proxies: Networks
    issuer: str
    """The broker's public URL, below which the links of refusals are."""

    async def admit(self, scope: Scope) -> Caller:
        """Count the request of an address, and describe its caller. Raises `ApiRefused`."""
        caller = caller_of(scope, self.trusted_proxies)
        try:
            if (waiting := self.limits.ask_address(caller, self.clock.now())) is not None:
                await waiting
        except RateLimited as limited:
            raise ApiRefused(rate_limited_problem(limited, self.issuer)) from None
        return caller

    async def admit_account(self, caller: Caller, client_id: str) -> None:
        """Count the request of an account that is authenticated. Raises `ApiRefused`."""
        try:
            if (waiting := self.limits.ask_client(caller, client_id, self.clock.now())) is not None:
                await waiting
        except RateLimited as limited:
            raise ApiRefused(rate_limited_problem(limited, self.issuer)) from None

    async def refused(self, caller: Caller, refused: ApiRefused) -> ApiRefused:
        """Count credentials that were refused, and give what is raised in their place."""
        now = self.clock.now()
        try:
            if refused.client_id is not None:
                await self.limits.failed_account(caller, refused.client_id, now)
            else:
                await self.limits.failed_before_signature(_BAD_CREDENTIALS, caller, now)
        except RateLimited as limited:
            return ApiRefused(rate_limited_problem(limited, self.issuer))
        return refused
