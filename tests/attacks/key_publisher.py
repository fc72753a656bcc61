"""A small raw HTTP server that publishes whatever a test wants, and remembers who asked."""

import contextlib
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

_REQUEST_LIMIT: Final = 65_536


@dataclass(frozen=True)
class Answer:
    """One answer; `trickles` sends its body one byte at a time and never ends it."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: tuple[str, ...] = ()
    trickles: bool = False
    repeats: int = 1
    """How often the body is sent: a huge one needs no memory."""

    silent: bool = False
    """Nothing is ever sent, the connection stays open."""

    until: threading.Event | None = None
    """Nothing is sent before this."""


def document(*keys: Any) -> Answer:
    """Publish these entries as a key set."""
    return Answer(json.dumps({"keys": keys}).encode())


class KeyPublisher:
    """Answers by path, 404 for all others."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.answers: dict[str, Answer] = {}
        self.connections = 0
        self.requests: list[str] = []
        """Every request so far, as `GET /path`."""

        self.stopping = threading.Event()

    def answer(self, connection: socket.socket) -> None:
        self.connections += 1
        path = self._read_request(connection)
        answer = self.answers.get(path, Answer(b"{}", status=404))
        # Whoever has seen enough hangs up.
        with contextlib.suppress(OSError):
            if answer.silent:
                self.stopping.wait()
                return
            if answer.until is not None:
                answer.until.wait(timeout=60)
            connection.sendall(_head(answer))
            if answer.trickles:
                self._trickle(connection, answer.body)
                return
            for _ in range(answer.repeats):
                connection.sendall(answer.body)

    def _trickle(self, connection: socket.socket, body: bytes) -> None:
        for byte in body:
            connection.sendall(bytes([byte]))
            if self.stopping.wait(0.2):
                return

    def _read_request(self, connection: socket.socket) -> str:
        text = b""
        while b"\r\n\r\n" not in text and len(text) < _REQUEST_LIMIT:
            chunk = connection.recv(4096)
            if not chunk:
                return ""
            text += chunk
        method, path, _ = text.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        self.requests.append(f"{method} {path}")
        return path


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    publisher: KeyPublisher


class _Connection(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            self.server.publisher.answer(self.request)


@contextmanager
def publishing() -> Iterator[KeyPublisher]:
    """Serve on loopback while the block lasts."""
    with _Server(("127.0.0.1", 0), _Connection) as server:
        publisher = server.publisher = KeyPublisher(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield publisher
        finally:
            publisher.stopping.set()
            server.shutdown()
            thread.join()


def _head(answer: Answer) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} Any",
        f"Content-Type: {answer.content_type}",
        "Connection: close",
        *answer.headers,
    ]
    if not answer.trickles:
        lines.append(f"Content-Length: {len(answer.body) * answer.repeats}")
    return "\r\n".join([*lines, "", ""]).encode()
