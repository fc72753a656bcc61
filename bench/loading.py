"""Loading a large policy folder from nothing, as commands and the process that reads do."""

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.policy_folder import AUDIENCE, PolicyFolder
from bench.table import Row, Spread
from broker.messages import Message
from broker.reload.sources import DeploymentParameters
from broker.workers.frames import frame

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CHECK = (sys.executable, "-m", "broker", "policies", "check", "--format", "json", "policies")
READ = (sys.executable, "-c", "from broker.reload.reading_process import main; main()")


def measure_loading(folder: PolicyFolder) -> list[Row]:
    """Give the rows of `broker policies check` and of the process that reads."""
    rows = []
    for name, command, request in (
        ("`broker policies check`, lints included", CHECK, b""),
        ("the process that reads, knowing no file", READ, _request(folder)),
    ):
        runs = [_run(command, folder.path.parent, request) for _ in range(ROUNDS)]
        rows.append(Row(name, Spread.of([wall for wall, _ in runs]), "s", "< 3"))
        rows.append(Row(f"{name}: CPU", Spread.of([cpu for _, cpu in runs]), "s"))
    return rows


def _request(folder: PolicyFolder) -> bytes:
    parameters = DeploymentParameters(AUDIENCE, 600, 3600, ("ES256", "RS256"), loopback=False)
    header = {
        "do": "read",
        "folder": str(folder.path),
        "parameters": parameters.as_json(),
        "now": time.time(),
        "known": [],
        "outlines": [],
    }
    return frame(Message(header, ()))


def _run(command: tuple[str, ...], directory: Path, request: bytes) -> tuple[float, float]:
    """Give the seconds that passed, and those of CPU."""
    root = str(Path(__file__).parents[1])
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": root},
        input=request,
        stdout=subprocess.PIPE,
        check=False,
    )
    wall, after = time.perf_counter() - began, os.times()
    if done.returncode or not done.stdout:
        sys.exit(f"{' '.join(command)} ended with status {done.returncode}")
    user = after.children_user - before.children_user
    return wall, user + after.children_system - before.children_system
