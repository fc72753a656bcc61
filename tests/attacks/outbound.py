"""What a broker does to the outside: Python itself reports every look-up, connection and file.

The broker runs in this process, so that the interpreter's audit events (PEP 578) show whatever it
contacts, by whichever library.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.running_broker import RunningBroker


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
