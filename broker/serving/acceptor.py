"""Accepting connections so that several processes share them evenly.

The event loop's own server takes every connection that waits: the first process to wake up gets all
that come at once, and keeps them for as long as their clients do. Here a process takes one at a
time, and leaves it for a moment to those that have fewer.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from broker.workers.open_connections import OpenConnections

DEFER_SECONDS: Final = 0.005
"""How long a connection is left to processes that have fewer, which may be busy or stuck."""

PAUSE_SECONDS: Final = 1.0
"""How long nothing is accepted when the process has no file left for a connection."""

logger = logging.getLogger(__name__)


class Acceptor:
    """Accepts on a shared listening socket from now on, with a protocol for each connection.

    Has the methods of `asyncio.Server` that uvicorn uses.
    """

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        connections: OpenConnections,
        worker: int,
    ) -> None:
        """Must be made in the running event loop. `connections` are counted down elsewhere."""
        listener.settimeout(0)
        self._listener = listener
        self._protocol = protocol
        self._connections = connections
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None
        self._beginning: set[asyncio.Task[object]] = set()
        self._loop.add_reader(listener.fileno(), self._readable)

    def close(self) -> None:
        """Accept no more."""
        self._connections.reset(self._worker)
        self._loop.remove_reader(self._listener.fileno())
        if self._later is not None:
            self._later.cancel()

    async def wait_closed(self) -> None:
        """Wait until all that was accepted has begun."""
        if self._beginning:
            await asyncio.wait(self._beginning)

    def _readable(self) -> None:
        if self._connections.has_least(self._worker):
            self._accept()
        else:
            self._pause(DEFER_SECONDS)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            # Another process was first, or the client is gone.
            return
        except OSError as error:
            logger.error("no connection can be accepted: %s", error.strerror)  # noqa: TRY400
            self._pause(PAUSE_SECONDS)
            return
        self._connections.add(self._worker, 1)
        connection.settimeout(0)
        beginning = self._loop.create_task(
            self._loop.connect_accepted_socket(self._protocol, connection)
        )
        self._beginning.add(beginning)
        beginning.add_done_callback(self._begun)

    def _begun(self, beginning: "asyncio.Task[object]") -> None:
        self._beginning.discard(beginning)
        if not beginning.cancelled() and (error := beginning.exception()) is not None:
            logger.error("an accepted connection did not begin: %s", error)
            self._connections.add(self._worker, -1)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener.fileno())
        self._later = self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._loop.add_reader(self._listener.fileno(), self._readable)
        self._accept()


@dataclass(frozen=True, slots=True)
class ConnectionShare:
    """A worker's share of the connections to a listening socket that several workers have."""

    worker: int
    connections: OpenConnections

    def acceptor(
        self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol]
    ) -> Acceptor:
        """Begin to accept."""
        self.connections.begin(self.worker)
        return Acceptor(listener, protocol, self.connections, self.worker)

    def counting(self, kind: type[asyncio.Protocol]) -> Callable[..., asyncio.Protocol]:
        """Make the class of the connections that are counted down at their end."""
        share = self

        class Counted(kind):  # type: ignore[misc, valid-type]
            def connection_lost(self, exc: Exception | None) -> None:
                share.connections.add(share.worker, -1)
                super().connection_lost(exc)

        return Counted
