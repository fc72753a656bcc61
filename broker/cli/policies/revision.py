"""The policy files of a revision, as git has them."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from broker.cli.endings import fail
from broker.cli.git import ask_git

MAX_BYTES: Final = 256 << 20
"""Of all files together: more than any folder of policies takes."""

_FILES: Final = ("100644", "100755")
_KINDS: Final = {"120000": "a link", "160000": "a submodule"}


@dataclass(frozen=True, slots=True)
class _Blob:
    """A file of a revision: where it is, seen from this folder, and which object it is."""

    path: str
    name: str
    size: int


@contextmanager
def files_of_revision(revision: str, paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Give the same paths, with what a revision has there; outside of git's own files.

    Ends the command when git cannot say.
    """
    if revision.startswith("-"):
        fail("--base: write a revision, such as origin/main")
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        fail(f"--base: git knows no revision '{revision}' here")
    sha = commit.decode().strip()
    below = [_below_here(path) for path in paths]
    # An archive would leave out, or write otherwise, what attributes in the revision say.
    blobs = {blob.path: blob for path in below for blob in _blobs(sha, path)}
    if missing := [
        str(path) for path, name in zip(paths, below, strict=True) if not _has(blobs, name)
    ]:
        fail(f"--base: {revision} has not all of {', '.join(missing)}")
    if sum(blob.size for blob in blobs.values()) > MAX_BYTES:
        fail(f"--base: the files of {revision} are larger than {MAX_BYTES >> 20} MiB together")
    with TemporaryDirectory(prefix="broker-policies-") as directory:
        _write(list(blobs.values()), Path(directory))
        yield [Path(directory, each) for each in below]


def _blobs(sha: str, path: str) -> Iterator[_Blob]:
    """List the files at or below a path, as it is named from here."""
    listed = _git("--literal-pathspecs", "ls-tree", "-r", "-l", "-z", sha, "--", path)
    for entry in (listed or b"").split(b"\0")[:-1]:
        about, _, name = os.fsdecode(entry).partition("\t")
        mode, _, blob, size = about.split()
        if mode not in _FILES:
            what = _KINDS.get(mode, "no file")
            fail(f"--base: {name} is {what} there; put the file itself in its place")
        yield _Blob(name, blob, int(size))


def _has(blobs: dict[str, _Blob], name: str) -> bool:
    return name in blobs or any(name == "." or path.startswith(f"{name}/") for path in blobs)


def _write(blobs: Sequence[_Blob], folder: Path) -> None:
    """Write files as they are in git, whatever its attributes and filters would make of them."""
    asked = "".join(f"{blob.name}\n" for blob in blobs).encode()
    found = _git("cat-file", "--batch", given=asked)
    if found is None:
        fail("--base: git has not all objects of that revision")
    at = 0
    for blob in blobs:
        # "NAME blob SIZE", the bytes, and a line feed.
        head = found.index(b"\n", at) + 1
        at = head + blob.size + 1
        target = folder / blob.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(found[head : at - 1])


def _below_here(path: Path) -> str:
    here, whole = Path.cwd().resolve(), path.resolve()
    if not whole.is_relative_to(here):
        fail(f"--base: {path} is not below this folder")
    return whole.relative_to(here).as_posix()


def _git(*words: str, given: bytes = b"") -> bytes | None:
    """Give what git prints; None when it fails."""
    try:
        return ask_git(Path(), *words, given=given)
    except OSError as error:
        fail(f"--base needs git: {error.strerror}")
    except subprocess.TimeoutExpired:
        fail("--base: git gives no answer")
