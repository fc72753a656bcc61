"""Before an ASGI application: requests without a good token do not come to it."""

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, Final

from broker.verify.bearer import Challenge, excepted
from broker.verify.errors import TokenError
from broker.verify.guard import Guard
from broker.verify.verifier import Verifier

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

STATE: Final = "service_token"
"""Where the application finds who calls: `scope["state"]`, Starlette's `request.state`."""

_POLICY_VIOLATION: Final = 1008


class RequireToken:
    """An application behind a verifier; `scopes` are needed for all of it.

    `except_paths` are served to everybody (a health check, say), by their exact paths: those that
    the client asks for, with that of the mount. Raises `ValueError` for what is no list of paths,
    or no scope.
    """

    def __init__(
        self,
        app: App,
        verifier: Verifier,
        *scopes: str,
        except_paths: Collection[str] = (),
        basic_allowed: bool = False,
        resource_metadata: str = "",
    ) -> None:
        self._app = app
        self._guard = Guard(verifier, scopes, basic_allowed, resource_metadata)
        self._except_paths = excepted(except_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] not in ("http", "websocket"):
            raise ValueError(f"nobody knows how to ask a {scope['type']!r} for a token")
        if scope["path"] in self._except_paths:
            await self._app(scope, receive, send)
            return
        try:
            values = [
                value.decode("latin-1")
                for name, value in scope["headers"]
                if name == b"authorization"
            ]
            verified = await self._guard.admit_async(values)
        except TokenError as error:
            await _refuse(self._guard.challenge(error), scope, send)
            return
        # Servers share what the lifespan left there between requests.
        state = {**scope.get("state", {}), STATE: verified}
        await self._app({**scope, "state": state}, receive, send)


async def _refuse(refused: Challenge, scope: Scope, send: Send) -> None:
    kind = scope["type"]
    if kind == "websocket":
        if "websocket.http.response" not in scope.get("extensions", {}):
            # Before it is accepted, this is an answer of 403.
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
        kind = "websocket.http"
    headers = [(name.encode(), value.encode("latin-1")) for name, value in refused.headers]
    headers.append((b"content-length", str(len(refused.body)).encode()))
    body = b"" if scope.get("method") == "HEAD" else refused.body
    status = int(refused.status)
    await send({"type": f"{kind}.response.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.response.body", "body": body})
