"""Loopback addresses: fake platforms are reachable from this machine alone (attacks row 186)."""

import secrets
import socket
from typing import Final
from urllib.parse import urlsplit

from broker.core.loopback import is_loopback

_MAX_PORT: Final = 65_535

# Below what a system gives to whoever asks for any port: Linux from 32,768, others from 49,152.
_ASKED_FOR: Final = range(10_000, 32_000)


class NotLoopback(ValueError):
    """An address that is not on loopback, or no address at all; the message says which."""


def split_listen(listen: str) -> tuple[str, int]:
    """Take `HOST:PORT` or `[IPV6]:PORT` apart. Raises `NotLoopback`."""
    host, colon, port = listen.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise NotLoopback(f"'{listen}': write an IPv6 address in brackets, like [::1]:8081")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > _MAX_PORT:
        raise NotLoopback(f"'{listen}' is not HOST:PORT")
    if not is_loopback(host):
        raise NotLoopback(
            f"'{listen}' is not a loopback address: a fake platform listens on 127.0.0.1 or [::1]"
        )
    return host, int(port)


def require_loopback_url(url: str) -> str:
    """Give back a base URL without trailing slash if it is http and on loopback.

    Raises `NotLoopback`.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise NotLoopback(f"'{url}' is not a URL") from None
    if parts.scheme != "http" or not host or port == 0 or "@" in parts.netloc:
        raise NotLoopback(f"'{url}' is not a URL like http://127.0.0.1:8081")
    if parts.query or parts.fragment:
        raise NotLoopback(f"'{url}' has a query or a fragment")
    if not is_loopback(host):
        raise NotLoopback(
            f"'{url}' is not on loopback: a fake platform is http://127.0.0.1:PORT or http://[::1]:PORT"
        )
    return url.rstrip("/")


def base_url(bound: socket.socket) -> str:
    """Give the http URL under which a bound socket is reached."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if bound.family == socket.AF_INET6 else f"http://{host}:{port}"


def listen_on(host: str, port: int) -> socket.socket:
    """Bind and listen; port 0 picks a free one. Connections wait until somebody accepts them.

    Raises `NotLoopback` when the host's name leads elsewhere, `OSError` when the port is taken.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    if not is_loopback(str(address[0])):
        raise NotLoopback(f"'{host}' is not a loopback address but {address[0]}")
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen()
    except OSError:
        bound.close()
        raise
    return bound


def free_port() -> int:
    """Find a port of 127.0.0.1 for a server that is started later, or ended and started again.

    Meanwhile nobody else gets it by chance, nor connects from it.
    """
    while True:
        port = _ASKED_FOR[secrets.randbelow(len(_ASKED_FOR))]
        try:
            listen_on("127.0.0.1", port).close()
        except OSError:
            continue
        return port
