"""Calling an ASGI app by hand, for what no HTTP client sends or shows."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.types import ASGIApp, Message, Scope

FORM: Final = (b"content-type", b"application/x-www-form-urlencoded")

Receive = Callable[[], Awaitable[Message]]


@dataclass
class Sent:
    """What an app sent."""

    messages: list[Message] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)


def a_scope(
    method: str = "POST",
    path: str = "/oauth/token",
    headers: Sequence[tuple[bytes, bytes]] = (FORM,),
    **more: Any,
) -> Scope:
    """The scope of a request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "scheme": "http",
        "headers": list(headers),
        "client": ("192.0.2.7", 40000),
        "server": ("127.0.0.1", 8080),
        **more,
    }


def receiving(*chunks: bytes, then: Message | None = None) -> Receive:
    """Give the body in these chunks, and then a last message."""
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    messages.append(then or {"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        return messages.pop(0)

    return receive


async def call(app: ASGIApp, scope: Scope, receive: Receive | None = None) -> Sent:
    """Send one request to an app."""
    sent = Sent()
    await app(scope, receive or receiving(), sent.send)
    return sent
