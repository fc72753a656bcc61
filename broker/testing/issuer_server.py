"""Fake issuers over real HTTP: a uvicorn server in a thread, for as long as a test needs it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import uvicorn

from broker.core.loopback import is_loopback
from broker.testing.fake_issuer import FakeIssuer
from broker.testing.issuer_app import ASGIApp, Message, Receive, Send, issuer_app, respond
from broker.testing.loopback import base_url, listen_on


class IssuerServer:
    """One issuer being served: where, and what was asked of it."""

    def __init__(self, issuer: FakeIssuer, url: str) -> None:
        self.url = url
        """Where the server is, `http://127.0.0.1:PORT`, even if the issuer's URL is public."""

        self.jwks_uri = url + urlsplit(issuer.jwks_uri).path
        """Where the keys are on this machine, whatever the issuer's URL is."""

        self.requests: list[str] = []
        """Every request so far, as `GET /path`."""

        self.status: int | None = None
        """Set to an HTTP status to answer everything with it, None to work again."""

        self._documents = issuer_app([issuer])

    async def app(self, scope: Message, receive: Receive, send: Send) -> None:
        """Record a request and answer it (ASGI)."""
        self.requests.append(f"{scope['method']} {scope['path']}")
        if self.status is not None:
            await respond(send, self.status, {"error": "as the test asked"})
            return
        await self._documents(scope, receive, send)


@contextmanager
def serving_issuers(issuer: FakeIssuer) -> Iterator[IssuerServer]:
    """Serve an issuer on loopback, for `FakeIssuer.serve`."""
    parts = urlsplit(issuer.url)
    host = parts.hostname or ""
    on_loopback = is_loopback(host)
    bound = listen_on(host if on_loopback else "127.0.0.1", (parts.port or 0) if on_loopback else 0)
    with bound:
        if on_loopback and not parts.port:
            netloc = urlsplit(base_url(bound)).netloc
            issuer.url = urlunsplit((parts.scheme, netloc, parts.path, "", ""))
        server = IssuerServer(issuer, base_url(bound))
        with serving(server.app, bound):
            yield server


@contextmanager
def serving(app: ASGIApp, bound: socket.socket) -> Iterator[None]:
    """Run an ASGI app on a listening socket in a thread while the context lasts."""
    server = _Server(uvicorn_config(app))
    thread = threading.Thread(target=server.run, args=([bound],), name="issuer", daemon=True)
    thread.start()
    try:
        yield
    finally:
        # Stopped before it has begun, uvicorn would leave its listener open.
        server.begun.wait(timeout=10)
        server.should_exit = True
        thread.join(timeout=10)


def uvicorn_config(app: ASGIApp) -> uvicorn.Config:
    """Give the settings under which fake issuers are served: quiet, HTTP only."""
    return uvicorn.Config(
        app,
        # A bound method does not look like ASGI 3 to uvicorn.
        interface="asgi3",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


class _Server(uvicorn.Server):
    """A server that tells when it has begun."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.begun.set()
