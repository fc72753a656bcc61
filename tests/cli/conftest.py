import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Broker = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
    return kept | {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def broker(tmp_path: Path, environment: dict[str, str]) -> Broker:
    """The real command in a folder of its own."""

    def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "broker", *arguments],
            cwd=tmp_path,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """The shipped policies, as `policies/` in the folder of the command."""
    return Path(shutil.copytree(ROOT / "policies", tmp_path / "policies"))
