"""What a broker does to the outside: Python itself reports every look-up, connection and file.

The broker runs in this process, so that the interpreter's audit events (PEP 578) show whatever it
contacts, by whichever library. Production's event loop connects in C and past the interpreter; the
one here reports what it is asked to do.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import uvloop

from tests.running_broker import RunningBroker


class ReportingLoop(uvloop.Loop):
    """Production's event loop, which reports what it contacts as the interpreter would."""

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        sys.audit("socket.getaddrinfo", host, port)
        return await super().getaddrinfo(host, port, **options)

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        sys.audit("socket.connect", None, (host, port))
        return await super().create_connection(protocol_factory, host, port, **options)

    async def create_unix_connection(
        self, protocol_factory: Any, path: Any = None, **options: Any
    ) -> Any:
        sys.audit("socket.connect", None, path)
        return await super().create_unix_connection(protocol_factory, path, **options)

    async def create_datagram_endpoint(self, protocol_factory: Any, *place: Any, **to: Any) -> Any:
        sys.audit("socket.connect", None, (place, to))
        return await super().create_datagram_endpoint(protocol_factory, *place, **to)

    async def sock_connect(self, sock: Any, address: Any) -> None:
        sys.audit("socket.connect", sock, address)
        await super().sock_connect(sock, address)


class WatchedBroker(RunningBroker):
    """A broker that can be watched from outside."""

    loop_factory = ReportingLoop


@dataclass
class Outside:
    """What was contacted while it was watched; the test's own requests to the broker left out."""

    broker_port: int
    contacted: list[str] = field(default_factory=list)
    """`HOST:PORT` of every look-up and connection, `unix:PATH` of others."""

    opened: list[str] = field(default_factory=list)
    """Every file opened by name."""

    def note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self.opened.append(str(arguments[0]))
        elif event == "socket.getaddrinfo":
            self._note_contact(arguments[0], arguments[1])
        elif event in ("socket.connect", "socket.sendto"):
            address = arguments[1]
            if isinstance(address, tuple):
                self._note_contact(address[0], address[1])
            else:
                self.contacted.append(f"unix:{address}")
        elif event in ("socket.gethostbyname", "socket.gethostbyaddr"):
            self._note_contact(arguments[0], None)

    def _note_contact(self, host: Any, port: Any) -> None:
        if str(port) != str(self.broker_port):
            self.contacted.append(f"{host}:{port}")


_watching: list[Outside] = []
_installed: list[bool] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    for outside in _watching:
        outside.note(event, arguments)


@contextmanager
def watching_outside(broker: RunningBroker) -> Iterator[Outside]:
    """Record what this process contacts and opens while the block lasts."""
    assert isinstance(broker, WatchedBroker)
    if not _installed:
        # An audit hook stays for the life of the process; it does nothing while nobody watches.
        sys.addaudithook(_hook)
        _installed.append(True)
    outside = Outside(urlsplit(broker.url).port or 0)
    _watching.append(outside)
    try:
        yield outside
    finally:
        _watching.remove(outside)
