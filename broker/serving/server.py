"""The HTTP server of one process, and what all processes of a broker serve with."""

import asyncio
import math
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from broker.core.errors import ConfigurationError, Problem
from broker.http.connections import ConnectionLimits, bounded_connections
from broker.serving.acceptor import Acceptor, ConnectionShare
from broker.settings import Settings
from broker.system import SystemClock, UuidV7Identifiers


@dataclass(frozen=True, slots=True)
class Service:
    """What is served, where, and beside which dev platform: its issuers' URLs by name."""

    settings: Settings
    listeners: tuple[socket.socket, ...]
    dev_issuers: Mapping[str, str] | None

    def facts(self) -> dict[str, object]:
        """Tell what the log says once it serves."""
        settings = self.settings
        facts: dict[str, object] = {"issuer": settings.issuer, "listen": _written(settings.listen)}
        if settings.admin_listen is not None:
            facts["admin_listen"] = _written(settings.admin_listen)
        if self.dev_issuers is not None:
            facts["dev_issuers"] = dict(self.dev_issuers)
        return facts


def _written(listen: tuple[str, int]) -> str:
    host, port = listen
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def listening(settings: Settings) -> Iterator[tuple[Settings, tuple[socket.socket, ...]]]:
    """Listen on every address until the block ends; the settings have the ports that came of it.

    Raises `ConfigurationError`.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(_bind("listen", settings.listen, "--listen"))
        port = listener.getsockname()[1]
        if settings.admin_listen is None:
            yield settings.bound_to(port), (listener,)
            return
        admin = stack.enter_context(_bind("admin_listen", settings.admin_listen, "`admin_listen`"))
        admin_port = admin.getsockname()[1]
        if admin_port == port:
            # Possible on two addresses when the system chose; the port has to tell them apart.
            message = f"the system chose {port}, which is the port of `listen`, too; name a port"
            raise ConfigurationError([Problem("admin_listen", 0, 0, message)])
        yield settings.bound_to(port, admin_port), (listener, admin)


def _bind(key: str, listen: tuple[str, int], by: str) -> socket.socket:
    host, port = listen
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        # Python says it once more behind what the system says.
        why = (error.strerror or str(error)).partition(" (while")[0]
        message = f"cannot listen on {host}:{port}: {why}; choose another with {by}"
        raise ConfigurationError([Problem(key, 0, 0, message)]) from None


def uvicorn_config(app: ASGIApp, limits: ConnectionLimits | None = None) -> uvicorn.Config:
    """Choose how the server speaks HTTP."""
    limits = limits or ConnectionLimits()
    identifiers, clock = UuidV7Identifiers(), SystemClock()
    return uvicorn.Config(
        app,
        interface="asgi3",
        http=bounded_connections(limits, lambda: identifiers.new(clock.now())),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # The broker reads X-Forwarded-For itself, from `trusted_proxies` alone.
        proxy_headers=False,
        timeout_keep_alive=math.ceil(limits.request_seconds),
        timeout_graceful_shutdown=10,
    )


class Server(uvicorn.Server):
    """A server that leaves the signals to us: it would end the process before the store closes."""

    def __init__(
        self, app: ASGIApp, serving: Callable[[], None], share: ConnectionShare | None = None
    ) -> None:
        """`serving` is called when it serves; a `share` is one of several processes'."""
        super().__init__(uvicorn_config(app))
        self._serving = serving
        self._share = share
        self._acceptors: list[Acceptor] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and tell."""
        if self._share is None:
            await super().startup(sockets)
        else:
            protocol = self._share.counting(self.config.http_protocol_class)
            for each in sockets or ():
                self._acceptors.append(self._share.acceptor(each, self._made(protocol)))
            # Uvicorn ends those as it ends servers of the event loop.
            self.servers = cast("list[asyncio.Server]", self._acceptors)
            self.started = True
        self._serving()

    def _made(self, protocol: Callable[..., asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        return lambda: protocol(config=self.config, server_state=self.server_state, app_state={})

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the requests that are under way, and take no more on any connection."""
        self.config.http_protocol_class.ending = True  # type: ignore[attr-defined]
        await super().shutdown(sockets)

    def stop(self) -> None:
        """Finish the requests that are under way, then end."""
        self.should_exit = True
