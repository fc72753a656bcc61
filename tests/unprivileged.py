"""Runs a function in a process that the rights of files bind, also when the tests run as root.

As root, the process gives up what lets root read and write everything. It stays root otherwise, so
that it can read the project and its Python wherever they lie.
"""

import ctypes
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]

# linux/prctl.h and linux/capability.h
_PR_CAPBSET_DROP: Final = 24
_CAP_DAC_OVERRIDE: Final = 1
_CAP_DAC_READ_SEARCH: Final = 2


def run_unprivileged(function: Callable[[Path], Any], folder: Path) -> Any:
    """Call a function of a module with a folder, and give its JSON value."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, function.__module__, function.__qualname__, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _main(module: str, name: str, folder: str) -> None:
    if _may_read_everything(Path(folder)):
        _start_again_without_powers()
    function = getattr(importlib.import_module(module), name)
    json.dump(function(Path(folder)), sys.stdout)


def _may_read_everything(folder: Path) -> bool:
    locked = folder / "locked"
    locked.touch(mode=0)
    try:
        return os.access(locked, os.R_OK)
    finally:
        locked.unlink()


def _start_again_without_powers() -> None:
    """Drop the powers for good; they are gone with the next program that the process becomes."""
    libc = ctypes.CDLL(None, use_errno=True)
    for power in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        if libc.prctl(_PR_CAPBSET_DROP, power, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "the powers of root cannot be dropped here")
    command = [sys.executable, "-m", "tests.unprivileged", *sys.argv[1:]]
    os.execv(sys.executable, command)  # noqa: S606 - our own Python once more


if __name__ == "__main__":
    _main(*sys.argv[1:])
