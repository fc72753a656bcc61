"""What git says of a repository, asked so that nothing in it has a say in that."""

import os
import subprocess
from pathlib import Path
from typing import Final

SECONDS: Final = 60

# By these, git would look at another repository, or at other objects than a commit names.
_ELSEWHERE: Final = frozenset({
    "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE", "GIT_SHALLOW_FILE", "GIT_WORK_TREE",
})  # fmt: skip


def ask_git(folder: Path, *words: str, given: bytes = b"") -> bytes | None:
    """Give what git prints of the repository that a folder is in; None when it fails.

    Raises `OSError` when there is no git, `subprocess.TimeoutExpired` after a minute.
    """
    # Looking at files starts no program that the work tree names, fetches nothing, and locks
    # nothing; a commit is what its hash says, whatever stands in for it here.
    command = ["git", "--no-optional-locks", "--no-replace-objects", "-C", str(folder), *words]
    environment = {name: each for name, each in os.environ.items() if name not in _ELSEWHERE}
    done = subprocess.run(  # noqa: S603
        command,
        capture_output=True,
        check=False,
        env=environment | {"GIT_NO_LAZY_FETCH": "1"},
        input=given,
        timeout=SECONDS,
    )
    return done.stdout if done.returncode == 0 else None
