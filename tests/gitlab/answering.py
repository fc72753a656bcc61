"""A server that stands where a broker should be, and answers as a test tells it."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


@contextmanager
def answering(
    *answers: tuple[int, str] | str, context: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Answer each request as told; for a URL, with the answer of the server there."""
    left = list(answers)

    class Stranger(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(told, str):
                kind = {"Content-Type": self.headers["Content-Type"]}
                answer = httpx.post(f"{told}{self.path}", content=body, headers=kind, timeout=60)
                told = (answer.status_code, answer.text)
            text = told[1].encode()
            self.send_response(told[0])
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Expect handshakes to fail."""

    with Server(("127.0.0.1", 0), Stranger) as server:
        if context is not None:
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
