"""A broker in a folder of its own: its configuration, its policies, its process."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import httpx

from broker.testing import FakeIssuer

GITHUB: Final = "https://token.actions.githubusercontent.com"
AUDIENCE: Final = "https://broker.example"
START_SECONDS: Final = 60.0

_CONFIGURATION: Final = """\
listen: 127.0.0.1:{port}
policies: policies
store: {store}
master_key_file: data/master.key
rate_limits: off
audit: {{stdout: false}}
"""
_POLICIES: Final = f"""\
issuers:
  github: {{preset: github, audiences: ["{AUDIENCE}"], jwks_file: jwks.json}}
services:
  deploy-api:
    audience: https://deploy.example.com
    scopes: {{"deploy:write": Start a deployment}}
    signing_alg: ES256
service_accounts:
  web: {{grants: {{deploy-api: ["deploy:write"]}}}}
  operator: {{grants: {{broker: ["broker:policies:write"]}}}}
policies:
  web-main:
    service_account: web
    issuer: github
    match: {{repository_id: 456789, ref: refs/heads/main}}
  operators:
    service_account: operator
    issuer: github
    match: {{repository_id: 700}}
"""
_DOOR: Final = """\
policies:
  door:
    service_account: web
    issuer: github
    match: {repository_id: 800}
"""


class Installation:
    """A broker that is started, killed and started again on the same state."""

    def __init__(
        self,
        folder: Path,
        issuer: FakeIssuer,
        port: int,
        *,
        workers: int,
        store: str = "sqlite:data/broker.db",
    ) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self.database = folder / "data" / "broker.db"
        self._workers = workers
        self._process: subprocess.Popen[bytes] | None = None
        self._policies = folder / "policies"
        self._policies.mkdir()
        (self._policies / "jwks.json").write_text(json.dumps(issuer.jwks()))
        (self._policies / "policies.yaml").write_text(_POLICIES)
        (folder / "broker.yaml").write_text(_CONFIGURATION.format(port=port, store=store))

    def start(self) -> None:
        """Start the broker and wait until it is ready. Raises `SystemExit` when it never is."""
        command = [sys.executable, "-m", "broker", "serve", "--config", "broker.yaml"]
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--workers", str(self._workers)],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=20).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                time.sleep(0.02)
        sys.exit("the broker does not start; the end of its log:\n" + self.log_end())

    def stop(self) -> None:
        """Stop it as an operator does; whatever does not end is killed."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                sys.exit("the broker does not stop; the end of its log:\n" + self.log_end())
            self._process = None

    def kill(self) -> None:
        """Kill it, every process at once, as a power cut would."""
        if self._process is not None:
            for pid in [self._process.pid, *self.workers()]:
                _signal(pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def processes(self) -> list[int]:
        """List the processes that serve: the workers, or the only one."""
        return self.workers() or [self._running().pid]

    def workers(self) -> list[int]:
        """List the children of the supervisor, the oldest first."""
        pid = self._running().pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return []
        return sorted(int(child) for child in children)

    def exit_status(self) -> int | None:
        """Give the status that the process ended with; None while it runs or was never started."""
        return None if self._process is None else self._process.poll()

    def alive(self) -> bool:
        """Tell whether the process that was started still runs."""
        return self._process is not None and self._process.poll() is None

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise RuntimeError("the broker was not started")
        return self._process

    def set_door(self, *, opened: bool) -> None:
        """Write or remove the policy that some jobs are let in by; in force after a reload."""
        file = self._policies / "door.yaml"
        if not opened:
            file.unlink(missing_ok=True)
            return
        draft = self.folder / "door.draft"
        draft.write_text(_DOOR)
        draft.replace(file)

    def log_errors(self) -> str:
        """Give the last lines of the log that tell of errors."""
        lines = (self.folder / "broker.log").read_text().splitlines()
        return "\n".join([line for line in lines if '"level":"error"' in line][-10:])

    def log_end(self) -> str:
        """Give the last lines of the log."""
        return "\n".join((self.folder / "broker.log").read_text().splitlines()[-20:])


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
