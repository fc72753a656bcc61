"""The servers that are measured: each a process of its own, until the block ends."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from broker.testing import FakeIssuer
from broker.testing.loopback import free_port

GITHUB = "https://token.actions.githubusercontent.com"
AUDIENCE = "https://broker.example"

CONFIGURATION = """\
policies: policies
store: {store}
master_key_file: data/master.key
rate_limits: off
audit: {{stdout: false}}
"""
POLICIES = f"""\
issuers:
  github: {{preset: github, audiences: ["{AUDIENCE}"], jwks_file: jwks.json}}
services:
  es256: {{audience: "https://es256.example", scopes: {{deploy: Deploy}}, signing_alg: ES256}}
  rs256: {{audience: "https://rs256.example", scopes: {{deploy: Deploy}}, signing_alg: RS256}}
service_accounts:
  web: {{grants: {{es256: [deploy], rs256: [deploy]}}, secrets: allowed}}
policies:
  main:
    service_account: web
    issuer: github
    match: {{repository: acme/web, repository_id: 456789, ref: refs/heads/main}}
"""
OTHER = """\
  other-{number}:
    service_account: web
    issuer: github
    match: {{repository: acme/app-{number}, repository_id: {number}, ref: refs/heads/main}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs; `ready` is how many seconds it took to answer."""

    pid: int
    port: int
    ready: float
    secret: str = field(default="", repr=False)
    """The broker's: a client secret of the account `web`."""


@contextmanager
def bare() -> Iterator[Server]:
    """Serve the floor."""
    port = free_port()
    script = Path(__file__).with_name("bare_server.py")
    with running([sys.executable, str(script), str(port)], port, "/") as server:
        yield server


@contextmanager
def broker(
    issuer: FakeIssuer,
    *,
    workers: int = 1,
    policies: int = 1,
    counts: bool = True,
    store: str = "sqlite:data/broker.db",
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Serve the broker, with an empty store and so many policies.

    One that does not count has no metrics, and one worker. `environment` is beside that of here.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "policies")
        files.mkdir()
        others = (OTHER.format(number=number) for number in range(1, policies))
        (files / "bench.yaml").write_text(POLICIES + "".join(others))
        (files / "jwks.json").write_text(json.dumps(issuer.jwks()))
        Path(folder, "broker.yaml").write_text(CONFIGURATION.format(store=store))
        command = [sys.executable, "-m", "broker", "serve", "--config", f"{folder}/broker.yaml"]
        if workers > 1:
            command += ["--workers", str(workers)]
        command += ["--listen", f"127.0.0.1:{port}"]
        if not counts:
            script = Path(__file__).with_name("uncounted_server.py")
            command = [sys.executable, str(script), f"{folder}/broker.yaml", f"127.0.0.1:{port}"]
        with running(command, port, "/readyz", environment=environment) as server:
            yield replace(server, secret=_new_secret(f"{folder}/broker.yaml"))


def _new_secret(configuration: str) -> str:
    command = ["-m", "broker", "accounts", "secret", "create", "web", "--config", configuration]
    return subprocess.run(
        [sys.executable, *command], check=True, capture_output=True, text=True
    ).stdout.strip()


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    path: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run a server until the block ends, ready to answer at a path."""
    started = time.perf_counter()
    quiet = subprocess.DEVNULL
    # In a session of its own, so that it ends with all that it has started.
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=quiet,
        stderr=quiet,
        start_new_session=True,
    ) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}{path}", process)
            yield Server(process.pid, port, time.perf_counter() - started)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


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
