"""The documents of fake issuers as an ASGI app: discovery and JWKS, nothing else."""

import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from broker.testing.fake_issuer import FakeIssuer

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Message, Receive, Send], Awaitable[None]]


def issuer_app(issuers: Sequence[FakeIssuer]) -> ASGIApp:
    """Serve each issuer's documents below the path of its URL, as they are at that moment."""

    async def app(scope: Message, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status, body = 200, documents(issuers).get(scope["path"])
        if body is None:
            status, body = 404, {"error": "not found"}
        elif scope["method"] not in ("GET", "HEAD"):
            status, body = 405, {"error": "method not allowed"}
        await respond(send, status, body)

    return app


def documents(issuers: Sequence[FakeIssuer]) -> dict[str, dict[str, Any]]:
    """Give every document by its path."""
    found: dict[str, dict[str, Any]] = {}
    for issuer in issuers:
        path = urlsplit(issuer.url).path.rstrip("/")
        found[f"{path}/.well-known/openid-configuration"] = issuer.discovery()
        found[urlsplit(issuer.jwks_uri).path] = issuer.jwks()
    return found


async def respond(send: Send, status: int, body: dict[str, Any]) -> None:
    """Answer with a JSON document."""
    text = json.dumps(body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
