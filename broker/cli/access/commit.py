"""The commit that policy files are of, where they are in a work tree of git.

What git says of its index is not asked: files can be marked there as never changed. Each file is
held against the object that the commit itself has of it.
"""

import hashlib
import os
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from broker.cli.git import ask_git
from broker.cli.policies.loading import DEV_FOLDER

if TYPE_CHECKING:
    from broker.core.access.review import Commit

_SHA256_DIGITS: Final = 64
_FILE_MODES: Final = ("100644", "100755")


def commit_of(
    paths: Sequence[Path], read: Collection[str], attached: Collection[str] = ()
) -> "Commit | None":
    """Give the commit that is checked out; None when git has none for all of the paths.

    `read` are the policy files that were read of the paths, `attached` those that they name. The
    commit is of changed files unless it has all of them, byte for byte, and no other policy file.
    """
    from broker.core.access.review import Commit

    folders = {path if path.is_dir() else path.parent for path in paths}
    roots = {_git(folder, "rev-parse", "--show-toplevel") for folder in folders}
    if len(roots) != 1 or (root := _line(roots.pop())) is None:
        return None
    sha = _line(_git(Path(root), "rev-parse", "--verify", "--quiet", "HEAD^{commit}"))
    below = [_below(path, Path(root)) for path in paths]
    if sha is None or None in below:
        return None
    outside = {_below(Path(each), Path(root)) for each in attached}
    wanted = {_below(Path(each), Path(root)): each for each in (*read, *attached)}
    listed = _git(
        Path(root), "--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree", sha, "--",
        *(each for each in (*below, *outside) if each is not None),
    )  # fmt: skip
    if listed is None:
        return None
    objects = dict(_objects(listed))
    meant = {name for name in objects if any(_is_of(name, path or "") for path in below)}
    same = meant <= wanted.keys() and all(
        name is not None and _is_object(Path(file), objects.get(name))
        for name, file in wanted.items()
    )
    return Commit(sha, changed=not same)


def attached_to(sources: "Mapping[str, Mapping[str, object]]") -> Iterator[str]:
    """Name the files that policy files name, given by name as they were read."""
    for file, members in sources.items():
        issuers = members.get("issuers")
        for entry in issuers.values() if isinstance(issuers, Mapping) else ():
            for key in ("jwks_file", "ca_file"):
                name = entry.get(key) if isinstance(entry, Mapping) else None
                if isinstance(name, str):
                    yield str(Path(file).parent / name)


def _below(path: Path, root: Path) -> str | None:
    """Name a path as the commit does; None when it is not of the work tree.

    NOTE: What a link of the work tree leads to may be no part of a commit; the link is looked at.
    """
    whole = path.resolve() if path.is_dir() else path.parent.resolve() / path.name
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else None


def _is_of(name: str, path: str) -> bool:
    """Tell whether a broker would read a file of the commit as one of a path's."""
    if name == path:
        return True
    prefix = "" if path == "." else f"{path}/"
    inside = name.removeprefix(prefix).split("/")
    return (
        name.startswith(prefix)
        and name.endswith((".yaml", ".yml"))
        and inside[0] != DEV_FOLDER
        and not any(each.startswith(".") for each in inside)
    )


def _objects(listed: bytes) -> Iterator[tuple[str, str | None]]:
    """Give the objects of the files of a commit by name; None for what is no file."""
    for entry in listed.split(b"\0")[:-1]:
        about, _, name = os.fsdecode(entry).partition("\t")
        mode, _, named = about.split()
        yield name, named if mode in _FILE_MODES else None


def _is_object(file: Path, named: str | None) -> bool:
    """Tell whether git would make this object of a file as it is, without any filter."""
    if named is None:
        return False
    try:
        content = file.read_bytes()
    except OSError:
        return False
    algorithm = "sha256" if len(named) == _SHA256_DIGITS else "sha1"
    found = hashlib.new(algorithm, b"blob %d\0" % len(content), usedforsecurity=False)
    found.update(content)
    return found.hexdigest() == named


def _line(printed: bytes | None) -> str | None:
    return None if printed is None else os.fsdecode(printed).removesuffix("\n")


def _git(folder: Path, *words: str) -> bytes | None:
    """Give what git prints; None when it fails, is not there, or takes too long."""
    try:
        return ask_git(folder, *words)
    except (OSError, subprocess.TimeoutExpired):
        return None
