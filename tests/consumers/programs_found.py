"""The programs that read service tokens: from the machine, or as `make test` has set them up."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv/consumers/bin/python"
PROGRAMS = Path(__file__).parent / "programs"
UNPACKED = ROOT / ".venv/debian"


def program(name: str) -> str:
    """Find a program that Debian has; where there is Debian it must not be missing."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:{UNPACKED}")
    if found:
        return found
    if shutil.which("apt-get"):
        pytest.fail(f"{name} is missing: `scripts/setup dev` unpacks it")
    pytest.skip(f"{name} is not on this machine")


def rare_program(*names: str) -> str:
    """Find a program that no package brings: its tests run where it is."""
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.skip(f"there is no {' and no '.join(names)} on this machine")


def library_program(name: str) -> list[str]:
    """Give the command that runs a program which uses the real libraries."""
    assert PYTHON.exists(), "the libraries are missing: `scripts/setup dev` installs them"
    return [str(PYTHON), str(PROGRAMS / name)]
