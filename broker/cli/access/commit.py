"""The commit that policy files are of, where they are in a work tree of git."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from broker.core.access.review import Commit


def commit_of(paths: Sequence[Path]) -> "Commit | None":
    """Give the commit that is checked out; None when git has none for all of the paths."""
    from broker.core.access.review import Commit

    folders = {path if path.is_dir() else path.parent for path in paths}
    roots = {_git(folder, "rev-parse", "--show-toplevel") for folder in folders}
    if len(roots) != 1 or (root := roots.pop()) is None:
        return None
    sha = _git(Path(root), "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    whole = [str(path.resolve()) for path in paths]
    # A file that git was told to ignore is in no commit either.
    changes = _git(
        Path(root), "status", "--porcelain", "--ignored", "--untracked-files=all", "--", *whole
    )
    if sha is None or changes is None:
        return None
    return Commit(sha, changed=bool(changes))


def _git(folder: Path, *words: str) -> str | None:
    """Give what git prints; None when it fails, or is not there."""
    # Looking at files starts no program that the work tree names, and locks nothing.
    command = [
        "git",
        "--no-optional-locks",
        "-c",
        "core.fsmonitor=false",
        "-C",
        str(folder),
        *words,
    ]
    try:
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    except OSError:
        return None
    return done.stdout.decode(errors="replace").strip("\n") if done.returncode == 0 else None
