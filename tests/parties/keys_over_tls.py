"""A broker's keys over TLS, as the proxy before it serves them."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tests.consumers.loopback_server import Answer, LoopbackServer, Request


@dataclass
class KeysOverTls:
    """Answers at `url` what `upstream` answers, which may be changed."""

    upstream: str
    url: str = ""

    def answer(self, request: Request) -> Answer:
        with httpx.Client(trust_env=False, timeout=60) as http:
            came = http.get(self.upstream + request.target)
        return Answer(came.content, came.status_code, {"Content-Type": "application/json"})


@contextmanager
def keys_over_tls(tls: ssl.SSLContext, upstream: str) -> Iterator[KeysOverTls]:
    keys = KeysOverTls(upstream)
    with LoopbackServer(keys.answer, tls).serving() as server:
        keys.url = f"https://localhost:{server.port}/.well-known/jwks.json"
        yield keys
