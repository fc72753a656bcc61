"""Reloading a large policy folder in a broker that serves exchanges meanwhile.

One file is changed each time. Two cores are shared by the broker, the process that reads and this
one, so quote the ratios.
"""

import http.client
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from bench.load import Measured, cpu_seconds_with_ended, measure
from bench.policy_folder import AUDIENCE, PolicyFolder
from bench.servers import running
from bench.table import Row, Spread
from broker.core.vocabulary import GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from broker.testing import FakeIssuer, github_claims
from broker.testing.loopback import free_port

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
RATE = float(os.environ.get("BENCH_RATE", "200"))
SEEN_SECONDS = 1.6
"""How long a change is left alone before the reload, less than the broker itself would wait."""

CONFIGURATION = """\
policies: policies
store: sqlite:data/broker.db
master_key_file: data/master.key
rate_limits: off
audit: {stdout: false}
"""
FORM = {"grant_type": GRANT_TOKEN_EXCHANGE, "subject_token_type": TOKEN_TYPE_JWT}
Job = dict[str, Any]
WEB: Job = {}
RELOADER: Job = {"repository": "acme/policies", "repository_id": "456790"}


@dataclass
class Served:
    """A broker that serves a folder, and a token with which it reloads."""

    folder: PolicyFolder
    issuer: FakeIssuer
    pid: int
    port: int
    token: str = ""
    step: int = 0

    def body(self, audience: str, job: Job) -> bytes:
        """Make the form of one exchange."""
        token = self.issuer.token(github_claims(**job), audience=AUDIENCE)
        return urlencode({**FORM, "audience": audience, "subject_token": token}).encode()

    def reload(self, wait: float) -> float:
        """Change a file, wait, and reload; give the seconds from the order to the answer."""
        authorization = {"Authorization": f"Bearer {self.token}"}
        while True:
            self.step += 1
            self.folder.change(self.step)
            time.sleep(wait)
            began = time.perf_counter()
            answer = self._post("/api/v1/policies/reload", b"", authorization)
            took = time.perf_counter() - began
            # Else the broker was first: on a slow machine it has seen and read the change itself.
            if answer["outcome"] == "reloaded":
                return took

    def log_in(self) -> None:
        """Get a token for the broker itself."""
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._post("/oauth/token", self.body("broker", RELOADER), form)
        self.token = str(answer["access_token"])

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("POST", path, body, headers)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return answer


@contextmanager
def serving(folder: PolicyFolder, issuer: FakeIssuer) -> Iterator[Served]:
    """Serve the folder until the block ends."""
    directory = folder.path.parent
    (directory / "broker.yaml").write_text(CONFIGURATION)
    port = free_port()
    command = [sys.executable, "-m", "broker", "serve", "--listen", f"127.0.0.1:{port}"]
    config = ["--config", str(directory / "broker.yaml")]
    with running([*command, *config], port, "/readyz") as server:
        served = Served(folder, issuer, server.pid, port)
        served.log_in()
        yield served


def measure_reloads(served: Served) -> list[Row]:
    """Give the rows of reloading while nobody asks for anything else."""
    seen, at_once, cpu = [], [], []
    served.reload(SEEN_SECONDS)  # warms up
    for _ in range(ROUNDS):
        before, steps = cpu_seconds_with_ended(served.pid), served.step
        seen.append(served.reload(SEEN_SECONDS))
        at_once.append(served.reload(0))
        cpu.append((cpu_seconds_with_ended(served.pid) - before) / (served.step - steps))
    return [
        Row("asked for when the change has been seen", Spread.of(seen), "s", "< 1"),
        Row("asked for together with the change", Spread.of(at_once), "s"),
        Row("CPU of the broker and the process that reads", Spread.of(cpu), "s"),
    ]


def measure_traffic(served: Served) -> list[Row]:
    """Give the rows of exchanges without and with reloads, one reload after the other."""
    without, during, ratios, reloads = [], [], [], []
    for number in range(ROUNDS + 1):
        served.log_in()
        before = _exchanges(served)
        with _reloading(served) as took:
            after = _exchanges(served)
        if number:  # the first round warms up
            without.append(before.percentile(0.99))
            during.append(after.percentile(0.99))
            ratios.append(during[-1] / without[-1])
            reloads += took
    return [
        Row("p99 of exchanges without reloads", Spread.of(without), "ms"),
        Row("p99 of exchanges while reloading", Spread.of(during), "ms"),
        Row("ratio of the two", Spread.of(ratios), "×", "≤ 2"),
        Row("a reload under this traffic", Spread.of(reloads), "s"),
    ]


def _exchanges(served: Served) -> Measured:
    bodies = [served.body("deploy-api", WEB) for _ in range(int(RATE * SECONDS))]
    result = measure(served.pid, served.port, bodies, rate=RATE)
    if result.refused:
        sys.exit(f"{result.refused} of {result.requests} exchanges were refused")
    return result


@contextmanager
def _reloading(served: Served) -> Iterator[list[float]]:
    """Reload again and again until the block ends."""
    took: list[float] = []
    stop = threading.Event()

    def reload() -> None:
        while not stop.is_set():
            took.append(served.reload(SEEN_SECONDS))

    thread = threading.Thread(target=reload)
    thread.start()
    try:
        yield took
    finally:
        stop.set()
        thread.join()
