"""CPU per introspection, with state in SQLite and in Redis: `python -m bench.bench_introspection`.

Every token was issued by the broker that is asked, to a CI job of its own, and counts. The service
that asks sends its client secret each time.
"""

import http.client
import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

from bench.exchanges import exchanges
from bench.rounds import FLOOR, Row, table, take_turns, write
from bench.servers import GITHUB, Server, bare, broker
from broker.testing import FakeIssuer
from tests.redis_server import redis_server

PATH = "/oauth/introspect"


def main() -> None:
    """Run the rounds and print the table."""
    issuer = FakeIssuer(GITHUB)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(redis_server(folder))
        rows = [Row(FLOOR, stack.enter_context(bare()), lambda: exchanges(issuer, "es256"))]
        for name, store in (("SQLite", "sqlite:data/broker.db"), ("Redis", redis.url)):
            server = stack.enter_context(broker(issuer, store=store))
            rows += [
                _row(f"introspection, {algorithm}, {name}", server, issuer, algorithm.lower())
                for algorithm in ("ES256", "RS256")
            ]
        take_turns(rows)
        numbers = table(rows)
    write("introspection", {"rows": numbers})


def _row(name: str, server: Server, issuer: FakeIssuer, service: str) -> Row:
    bodies = [
        urlencode({"token": token, "client_id": "web", "client_secret": server.secret}).encode()
        for token in _service_tokens(server, exchanges(issuer, service))
    ]
    return Row(name, server, lambda: bodies, PATH)


def _service_tokens(server: Server, forms: Sequence[bytes]) -> list[str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    tokens = []
    for form in forms:
        connection.request("POST", "/oauth/token", form, headers)
        answer = json.load(connection.getresponse())
        tokens.append(str(answer["access_token"]))
    connection.close()
    return tokens


if __name__ == "__main__":
    main()
