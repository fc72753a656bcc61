"""An endpoint of `/api/v1`: it is found out who calls before anything is read or done."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from broker.core.errors import Unavailable
from broker.http.answers import Answer, problem_answer
from broker.http.api.bearer import ApiCaller, ApiRefused, Bearer
from broker.http.api.limits import ApiLimits

Serve: TypeAlias = Callable[[Request, ApiCaller], Awaitable[Answer]]
"""Answers a request of a caller who may make it. Raises `ApiRefused` and `Unavailable`."""


@dataclass(frozen=True, slots=True)
class ApiEndpoint:
    """An ASGI endpoint for callers with one scope of the broker."""

    bearer: Bearer
    limits: ApiLimits
    scope: str
    serve: Serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = await self._answer(Request(scope, receive))
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Answer:
        try:
            caller = await self._authorized(request.scope)
            return await self.serve(request, caller)
        except ApiRefused as refused:
            return refused.answer
        except Unavailable as refusal:
            retry_after = (b"retry-after", str(refusal.retry_after).encode())
            return problem_answer(503, "UNAVAILABLE", refusal.description, [retry_after])

    async def _authorized(self, scope: Scope) -> ApiCaller:
        """Find out who calls, and whether it calls too often. Raises `ApiRefused`."""
        caller = await self.limits.admit(scope)
        try:
            account = await self.bearer.require(scope, self.scope)
        except ApiRefused as refused:
            raise await self.limits.refused(caller, refused) from None
        await self.limits.admit_account(caller, account.client_id)
        return account
