"""Requests as bytes, for what no HTTP client sends."""

import socket
from urllib.parse import urlsplit

from tests.running_broker import RunningBroker


def send_raw(broker: RunningBroker, request: bytes) -> bytes:
    """Send a request and give all that comes back until the broker closes the connection."""
    address = urlsplit(broker.url)
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            return answer.read()
