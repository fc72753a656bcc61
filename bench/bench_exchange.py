"""CPU per exchange, beside a bare Starlette POST of the same run: `make bench`.

Server processes are measured one at a time in turn, over several rounds, each request with a token
of its own. Quote the ratios: the microseconds depend on the machine and on its neighbours.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode

from bench.load import Measured, measure, pin, resident_megabytes
from broker.core.vocabulary import GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from broker.testing import FakeIssuer, github_claims

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
REQUESTS = int(os.environ.get("BENCH_REQUESTS", "2000"))
GITHUB = "https://token.actions.githubusercontent.com"
AUDIENCE = "https://broker.example"
RESULTS = Path("build/bench/exchange.json")

CONFIGURATION = """\
policies: policies
store: sqlite:data/broker.db
master_key_file: data/master.key
audit: {stdout: false}
"""
POLICIES = f"""\
issuers:
  github: {{preset: github, audiences: ["{AUDIENCE}"], jwks_file: jwks.json}}
services:
  es256: {{audience: "https://es256.example", scopes: {{deploy: Deploy}}, signing_alg: ES256}}
  rs256: {{audience: "https://rs256.example", scopes: {{deploy: Deploy}}, signing_alg: RS256}}
service_accounts:
  web: {{grants: {{es256: [deploy], rs256: [deploy]}}}}
policies:
  main:
    service_account: web
    issuer: github
    match: {{repository: acme/web, repository_id: 456789, ref: refs/heads/main}}
"""


def main() -> None:
    """Run the rounds and print the table."""
    issuer = FakeIssuer(GITHUB)
    rounds: dict[str, list[Measured]] = {"bare POST": [], "ES256": [], "RS256": []}
    with ExitStack() as stack:
        bare = stack.enter_context(bare_server())
        broker, ready = stack.enter_context(broker_server(issuer))
        # The load on one core, the servers on another.
        pin(os.getpid(), 0)
        for pid, _ in (bare, broker):
            pin(pid, 1)
        for number in range(ROUNDS + 1):
            for name, measured in rounds.items():
                pid, port = bare if name == "bare POST" else broker
                service = name.lower() if name != "bare POST" else "es256"
                result = measure(pid, port, bodies(issuer, service))
                if result.refused:
                    sys.exit(f"{name}: {result.refused} of {result.requests} were refused")
                if number:  # the first round warms up
                    measured.append(result)
        memory = resident_megabytes(broker[0])
    report(rounds, ready, memory)


def bodies(issuer: FakeIssuer, service: str) -> list[bytes]:
    """Make the forms of one round, each with a token of its own."""
    form = {
        "grant_type": GRANT_TOKEN_EXCHANGE,
        "subject_token_type": TOKEN_TYPE_JWT,
        "audience": service,
    }
    return [
        urlencode(
            form | {"subject_token": issuer.token(github_claims(), audience=AUDIENCE)}
        ).encode()
        for _ in range(REQUESTS)
    ]


def report(rounds: dict[str, list[Measured]], ready: float, memory: float) -> None:
    """Print medians, spread and ratios; write the same as JSON."""
    floor = statistics.median(each.cpu_per_request for each in rounds["bare POST"])
    table = {}
    print(f"{'':10} {'CPU µs':>8} {'min':>7} {'max':>7} {'x bare':>7} {'p50 ms':>7} {'p99 ms':>7}")
    for name, measured in rounds.items():
        cpu = [each.cpu_per_request for each in measured]
        row = {
            "cpu_us": statistics.median(cpu),
            "cpu_us_min": min(cpu),
            "cpu_us_max": max(cpu),
            "times_bare": statistics.median(cpu) / floor,
            "p50_ms": statistics.median(each.percentile(0.5) for each in measured),
            "p99_ms": statistics.median(each.percentile(0.99) for each in measured),
        }
        table[name] = row
        print(
            f"{name:10} {row['cpu_us']:8.0f} {row['cpu_us_min']:7.0f} {row['cpu_us_max']:7.0f}"
            f" {row['times_bare']:7.2f} {row['p50_ms']:7.2f} {row['p99_ms']:7.2f}"
        )
    print(f"ready after {ready:.2f} s with an empty store; {memory:.0f} MB resident")
    print(f"{ROUNDS} rounds of {REQUESTS} requests each, in turn; medians over rounds")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(
        json.dumps({"rows": table, "ready_s": ready, "resident_mb": memory}, indent=2)
    )


@contextmanager
def bare_server() -> Iterator[tuple[int, int]]:
    """Serve the floor."""
    port = free_port()
    script = Path(__file__).with_name("bare_server.py")
    with running([sys.executable, str(script), str(port)], port, "/") as (pid, _):
        yield pid, port


@contextmanager
def broker_server(issuer: FakeIssuer) -> Iterator[tuple[tuple[int, int], float]]:
    """Serve the broker, with an empty store on disk."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        policies = Path(folder, "policies")
        policies.mkdir()
        (policies / "bench.yaml").write_text(POLICIES)
        (policies / "jwks.json").write_text(json.dumps(issuer.jwks()))
        Path(folder, "broker.yaml").write_text(CONFIGURATION)
        command = [sys.executable, "-m", "broker", "serve", "--listen", f"127.0.0.1:{port}"]
        config = ["--config", f"{folder}/broker.yaml"]
        with running([*command, *config], port, "/readyz") as (pid, ready):
            yield (pid, port), ready


@contextmanager
def running(command: list[str], port: int, path: str) -> Iterator[tuple[int, float]]:
    """Run a server until the block ends; give its process id and the seconds until it answered."""
    started = time.perf_counter()
    with subprocess.Popen(command) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}{path}", process)
            yield process.pid, time.perf_counter() - started
        finally:
            process.terminate()


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Wait until a URL answers, whatever the status."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.01)
        else:
            return
    sys.exit(f"no answer from {url}")


def free_port() -> int:
    """Find a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main()
