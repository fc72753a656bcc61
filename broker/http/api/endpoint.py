"""An endpoint of `/api/v1`: it is found out who calls before anything is read or done."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from broker.core.errors import Unavailable
from broker.core.registry.refused import ChangeRefused, Code
from broker.http.answers import NO_STORE, Answer, problem_answer
from broker.http.api.bearer import ApiCaller, ApiRefused, Bearer
from broker.http.api.limits import ApiLimits

Serve: TypeAlias = Callable[[Request, ApiCaller], Awaitable[Answer]]
"""Answers a request of a caller who may make it.

Raises `ApiRefused`, `ChangeRefused` and `Unavailable`.
"""

_STATUS: Final = {
    Code.INVALID_REQUEST: 400,
    Code.INSUFFICIENT_PERMISSIONS: 403,
    Code.NOT_FOUND: 404,
    Code.CONFLICT: 409,
    Code.ACCOUNT_LIMIT: 409,
}


@dataclass(frozen=True, slots=True)
class ApiEndpoint:
    """An ASGI endpoint for callers with one scope of the broker, or with `or_scope`.

    With `and_scope` they need that one as well. `confined` says that what it does stays within the
    caller's organization; any other endpoint is out of reach of whoever belongs to one (attacks row
    142).
    """

    bearer: Bearer
    limits: ApiLimits
    scope: str
    serve: Serve
    or_scope: str | None = None
    and_scope: str | None = None
    confined: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = await self.answer(Request(scope, receive))
        await answer(scope, receive, send)

    async def answer(self, request: Request) -> Answer:
        """Make the answer to a request, whether or not its caller may make it."""
        try:
            caller = await self._authorized(request.scope)
            return await self.serve(request, caller)
        except ApiRefused as refused:
            return refused.answer
        except ChangeRefused as refused:
            return _refused(refused)
        except Unavailable as refusal:
            headers = [*NO_STORE, (b"retry-after", str(refusal.retry_after).encode())]
            return problem_answer(503, "UNAVAILABLE", refusal.description, headers)

    async def _authorized(self, scope: Scope) -> ApiCaller:
        """Find out who calls, and whether it calls too often. Raises `ApiRefused`."""
        caller = await self.limits.admit(scope)
        try:
            account = await self.bearer.require(
                scope,
                self.scope,
                or_scope=self.or_scope,
                and_scope=self.and_scope,
                confined=self.confined,
            )
        except ApiRefused as refused:
            raise await self.limits.refused(caller, refused) from None
        await self.limits.admit_account(caller, account.sub)
        return account


@dataclass(frozen=True, slots=True)
class ByMethod:
    """An ASGI endpoint that does something else for each method, and refuses any other."""

    endpoints: Mapping[str, ApiEndpoint]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises `HTTPException` (405)."""
        endpoint = self.endpoints.get("GET" if scope["method"] == "HEAD" else scope["method"])
        if endpoint is None:
            raise HTTPException(405, headers={"allow": ", ".join(sorted(self.endpoints))})
        await endpoint(scope, receive, send)


def _refused(refused: ChangeRefused) -> Answer:
    more = {} if refused.field is None else {"field": refused.field}
    return problem_answer(_STATUS[refused.code], refused.code, str(refused), NO_STORE, more)
