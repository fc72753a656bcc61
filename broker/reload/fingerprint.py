"""Telling whether the policy files are still the ones that were read, without reading them."""

import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

_SUFFIXES: Final = (".yaml", ".yml")
_STEP: Final = 50_000_000
_TIMED: Final = 5  # colons in the entry of a file

Entries = Mapping[str, str]
"""What is at each path, as a short text that changes with every write."""


def entries_below(folder: Path) -> dict[str, str]:
    """Note what the files are that may count as policy files; links are followed.

    Hidden ones are passed over, as they are when the policies are read: behind links, the hidden
    folders of a mounted ConfigMap show all the same.
    """
    found = {str(folder): entry(str(folder), identity_alone=True)}
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if not name.startswith(".") and name.lower().endswith(_SUFFIXES):
                path = os.path.join(parent, name)  # noqa: PTH118 - half the time of a large tree
                found[path] = entry(path)
        for name in folders:
            path = os.path.join(parent, name)  # noqa: PTH118
            found[path] = entry(path, identity_alone=True)
    return found


def entry(path: str, *, identity_alone: bool = False) -> str:
    """Note what is at a path.

    The time of the last change of a file's status cannot be set back as that of its content can.
    """
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        return f"error {error.errno}"
    identity = f"{status.st_dev}:{status.st_ino}:{status.st_mode}"
    if identity_alone:
        return identity
    return f"{identity}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def digest(entries: Entries) -> str:
    """Sum up what was noted."""
    text = "\0".join(f"{path}\0{entries[path]}" for path in sorted(entries))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def changed_since(entries: Entries, instant: int) -> bool:
    """Tell whether a file was changed at an instant (nanoseconds since the epoch) or after it.

    File systems count time in steps: of two changes within one step only the first is sure to show.
    What lies in the future was stamped by another clock and says nothing.
    """
    changes = [
        int(each.rpartition(":")[2]) for each in entries.values() if each.count(":") == _TIMED
    ]
    return any(instant - _STEP <= change <= time.time_ns() for change in changes)


def fingerprint_now(folder: Path, named_files: Iterable[str]) -> str:
    """Sum up what the files of a folder, and those that they name, are now."""
    return digest(entries_below(folder) | {path: entry(path) for path in named_files})


def identity_of(folder: Path) -> str:
    """Tell which folder is at a path now."""
    return entry(str(folder), identity_alone=True)
