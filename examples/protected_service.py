"""A tiny service that accepts the broker's tokens: 200 for a good one, 401 or 403 otherwise.

It verifies every token by itself and asks the broker for public keys alone. Beside `make run`:

    .venv/bin/python examples/protected_service.py --issuer http://127.0.0.1:8080 --port 9000
"""

import argparse
import json
import threading
import time
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import jwt

ALGORITHMS = ["RS256", "ES256", "EdDSA"]
SECONDS_BETWEEN_FETCHES = 30


class TokenVerifier:
    """Checks service tokens of one broker for one audience."""

    def __init__(self, issuer: str, audience: str) -> None:
        self.issuer = issuer
        self.audience = audience
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = -float(SECONDS_BETWEEN_FETCHES)
        self._lock = threading.Lock()

    def verify(self, token: str) -> dict[str, Any]:
        """Give the claims of a token that counts here, now. Raises `jwt.PyJWTError`."""
        header = jwt.get_unverified_header(token)
        # A token of another kind, an ID token say, must not pass for an access token (RFC 9068 §4).
        if header.get("typ") != "at+jwt":
            raise jwt.InvalidTokenError("not an access token")
        claims: dict[str, Any] = jwt.decode(
            token,
            self._key(header.get("kid", "")),
            algorithms=ALGORITHMS,
            issuer=self.issuer,
            audience=self.audience,
            options={"require": ["iss", "aud", "exp", "iat", "sub", "jti"], "strict_aud": True},
        )
        return claims

    def _key(self, key_id: str) -> jwt.PyJWK:
        with self._lock:
            # An unknown key may be a new one. Made-up key ids must not cause a fetch each.
            waited = time.monotonic() - self._fetched_at
            if key_id not in self._keys and waited >= SECONDS_BETWEEN_FETCHES:
                self._fetched_at = time.monotonic()
                metadata = get_json(f"{self.issuer}/.well-known/openid-configuration")
                key_set = jwt.PyJWKSet.from_dict(get_json(metadata["jwks_uri"]))
                self._keys = {key.key_id: key for key in key_set.keys if key.key_id}
            if key_id not in self._keys:
                raise jwt.InvalidTokenError("signed with an unknown key")
            return self._keys[key_id]


def get_json(url: str) -> dict[str, Any]:
    """Fetch a JSON document, not following redirects."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.netloc, timeout=5)
    try:
        connection.request("GET", parts.path)
        document: dict[str, Any] = json.load(connection.getresponse())
    finally:
        connection.close()
    return document


class Deployments(BaseHTTPRequestHandler):
    """`POST /deployments` for holders of the scope `deploy:write`."""

    verifier: TokenVerifier

    def do_POST(self) -> None:
        """Answer 200 to a token with the scope."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if self.path != "/deployments":
            return self._answer(404, {"error": "not_found"})
        if scheme.lower() != "bearer":
            return self._answer(401, {"error": "no_token"}, challenge="Bearer")
        try:
            claims = self.verifier.verify(token)
        except jwt.PyJWTError as error:
            body = {"error": "invalid_token", "error_description": str(error)}
            return self._answer(401, body, challenge='Bearer error="invalid_token"')
        if "deploy:write" not in claims.get("scope", "").split():
            body = {"error": "insufficient_scope"}
            return self._answer(403, body, challenge='Bearer error="insufficient_scope"')
        return self._answer(200, {"deployment": "started", "by": claims["sub"]})

    def _answer(self, status: int, body: dict[str, str], challenge: str | None = None) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


def main() -> None:
    """Serve until stopped; the first line of the output is the service's URL."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--issuer", required=True, help="the broker's URL")
    options.add_argument("--audience", default="https://deploy.example.com")
    options.add_argument("--port", type=int, default=9000, help="0 takes a free one")
    given = options.parse_args()
    Deployments.verifier = TokenVerifier(given.issuer, given.audience)
    with ThreadingHTTPServer(("127.0.0.1", given.port), Deployments) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
