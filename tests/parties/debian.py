"""Programs of Debian, from the trees that `scripts/setup dev` has unpacked."""

import os
import re
import shutil
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
UNPACKED: Final = ROOT / ".venv/debian"


def tree(name: str, package: str) -> Path:
    """Find the tree of some packages; where there is Debian it must not be missing."""
    found = UNPACKED / name
    if (found / ".unpacked").exists():
        return found
    if shutil.which("apt-get"):
        pytest.fail(f"Debian's {package} is missing: `scripts/setup dev` unpacks it")
    pytest.skip(f"there is no Debian to have {package} from")


def version(name: str, package: str) -> str:
    """Give the version of a package, without what Debian adds to it."""
    lines = (tree(name, package) / "versions").read_text().splitlines()
    full = dict(line.split() for line in lines)[package]
    return re.sub(r"^[0-9]+:|[-+~].*$", "", full)


def environment(tree: Path) -> dict[str, str]:
    """Give the environment in which the programs of a tree find its libraries."""
    files = [*tree.glob("usr/lib/*/*.so*"), *tree.glob("lib/*/*.so*")]
    folders = sorted({str(file.parent) for file in files})
    return {"PATH": os.environ["PATH"]} | (
        {"LD_LIBRARY_PATH": os.pathsep.join(folders)} if folders else {}
    )
