"""An endpoint of `/api/v1`: it is found out who calls before anything is read or done."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from broker.core.errors import Unavailable
from broker.http.answers import Answer, problem_answer
from broker.http.api.bearer import ApiCaller, ApiRefused, Bearer

Serve: TypeAlias = Callable[[Request, ApiCaller], Awaitable[Answer]]
"""Answers a request of a caller who may make it. Raises `ApiRefused` and `Unavailable`."""


@dataclass(frozen=True, slots=True)
class ApiEndpoint:
    """An ASGI endpoint for callers with one scope of the broker, or with `or_scope`.

    `confined` says that what it does stays within the caller's organization; any other endpoint is
    out of reach of whoever belongs to one (attacks row 142).
    """

    bearer: Bearer
    scope: str
    serve: Serve
    or_scope: str | None = None
    confined: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = await self._answer(Request(scope, receive))
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Answer:
        try:
            caller = await self.bearer.require(
                request.scope, self.scope, or_scope=self.or_scope, confined=self.confined
            )
            return await self.serve(request, caller)
        except ApiRefused as refused:
            return refused.answer
        except Unavailable as refusal:
            retry_after = (b"retry-after", str(refusal.retry_after).encode())
            return problem_answer(503, "UNAVAILABLE", refusal.description, [retry_after])
