"""A broker's keys as services meet them: tokens that they signed, and who publishes them."""

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from broker.core.signing_keys import PrivateKey, SigningKey, SigningSchedule

NOW: Final = 1_795_300_000.0
AUDIENCE: Final = "https://deploy.example.com"
ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
_ALWAYS: Final = SigningSchedule(0, 0)


def signing_key(algorithm: str, name: str = "first") -> SigningKey:
    """Give one key pair of a kind, the same at each call; `name` tells several apart."""
    return _signing_key(algorithm, name)


@cache
def _signing_key(algorithm: str, _name: str) -> SigningKey:
    return SigningKey.of(_private_key(algorithm), algorithm, _ALWAYS)


def _private_key(algorithm: str) -> PrivateKey:
    if algorithm == "RS256":
        return rsa.generate_private_key(65_537, 2048)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate()


def base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def token(
    key: SigningKey,
    issuer: str,
    *,
    header: Mapping[str, Any] | None = None,
    without: str = "",
    **claims: Any,
) -> str:
    """Sign a service token that counts at NOW, but for what is changed."""
    head = {"typ": "at+jwt", "alg": key.algorithm, "kid": key.key_id, **(header or {})}
    said = {
        "iss": issuer,
        "sub": "deploy-web",
        "aud": AUDIENCE,
        "exp": int(NOW) + 600,
        "iat": int(NOW),
        "nbf": int(NOW),
        "jti": "019e0000-0000-7000-8000-000000000001",
        "client_id": "deploy-web",
        "token_type": "service",
        "scope": "deploy:read deploy:write",
        **claims,
    }
    said.pop(without, None)
    return signed(key, head, json.dumps(said).encode())


def signed(key: SigningKey, header: Mapping[str, Any], payload: bytes) -> str:
    """Sign any payload under any header."""
    text = base64url(json.dumps(header).encode()) + "." + base64url(payload)
    return text + "." + base64url(key.sign(text.encode()))


class Publisher:
    """What a broker publishes, and what was asked of it."""

    def __init__(self, *keys: SigningKey) -> None:
        self.document = self.jwks(*keys)
        self.status = 200
        self.headers: dict[str, str] = {}
        self.delay = 0.0
        self.requests: list[str] = []
        self.url = ""

    def publish(self, *keys: SigningKey) -> None:
        self.document = self.jwks(*keys)

    @staticmethod
    def jwks(*keys: SigningKey) -> bytes:
        return json.dumps({"keys": [key.public for key in keys]}).encode()


@contextmanager
def publishing(*keys: SigningKey) -> Iterator[Publisher]:
    """Serve keys on loopback while the context lasts."""
    publisher = Publisher(*keys)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            publisher.requests.append(self.path)
            time.sleep(publisher.delay)
            self.send_response(publisher.status)
            for name, value in publisher.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(publisher.document)))
            self.end_headers()
            self.wfile.write(publisher.document)

        do_POST = do_GET  # noqa: N815 - as the standard library looks for it

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    publisher.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield publisher
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
