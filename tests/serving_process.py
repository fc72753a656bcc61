"""`broker serve` as a process of its own, as a user starts it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class ServingProcess:
    """The process, and what it says of itself once it serves."""

    process: subprocess.Popen[str]
    facts: dict[str, Any]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.facts['listen']}"

    def stop(self) -> str:
        """Stop it as a supervisor does, and give the audit lines that it printed."""
        self.process.terminate()
        lines, _ = self.process.communicate(timeout=60)
        return lines


@contextmanager
def serving_process(folder: Path, *arguments: str) -> Iterator[ServingProcess]:
    """Run `broker serve` in a folder until the block ends, or end with what it complained of."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
    with subprocess.Popen(
        [sys.executable, "-m", "broker", "serve", *arguments],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield ServingProcess(process, _facts(process))
        finally:
            process.kill()


def _facts(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if line.startswith("{") and json.loads(line)["message"] == "serving":
            found: dict[str, Any] = json.loads(line)
            return found
    raise AssertionError("".join(seen))
