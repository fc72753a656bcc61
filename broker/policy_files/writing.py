"""Putting edited policy files in place of those that were read: all of them, or none.

Each is written beside its file and takes its place at once, so that nobody reads half of one. A
file that is not any more what was read is left alone, and so are all others.
"""

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from broker.core.errors import ConfigurationError, Problem


@dataclass(frozen=True, slots=True)
class _Staged:
    """A file that lies beside the one whose place it is to take."""

    file: str
    """As it is named, also in messages."""

    real: Path
    """Behind all links, which stay."""

    draft: Path
    before: bytes
    after: bytes
    found: os.stat_result
    """Of the real file: whose it is, and who may what."""


def write_all(files: Mapping[str, tuple[bytes, bytes]]) -> None:
    """Write files, by name: what each held when it was read, and what it is to hold.

    Owner, group and permissions stay. Raises `ConfigurationError` where one is not what was read,
    or cannot be written; then none is changed, as far as the file system allows.
    """
    staged: list[_Staged] = []
    try:
        for file, (before, after) in files.items():
            _stage(file, before, after, staged)
        for each in staged:
            _check_unchanged(each)
        _put_in_place(staged)
    finally:
        for each in staged:
            each.draft.unlink(missing_ok=True)


def _stage(file: str, before: bytes, after: bytes, staged: list[_Staged]) -> None:
    try:
        real = Path(os.path.realpath(file))
        draft = real.with_name(f".{real.name}.{os.urandom(8).hex()}")
        found = real.stat()
        each = _Staged(file, real, draft, before, after, found)
        descriptor = _created(draft)
        staged.append(each)
        _fill(descriptor, each, after)
    except OSError as error:
        raise _refused(file, f"cannot be written: {error.strerror}") from None


def _created(draft: Path) -> int:
    return os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _fill(descriptor: int, each: _Staged, content: bytes) -> None:
    """Write a draft, with the owner and the rights of the file. Raises `OSError`."""
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        made = os.fstat(descriptor)
        if (made.st_uid, made.st_gid) != (each.found.st_uid, each.found.st_gid):
            os.fchown(descriptor, each.found.st_uid, each.found.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(each.found.st_mode))
        os.fsync(descriptor)


def _check_unchanged(staged: _Staged) -> None:
    try:
        same = staged.real.read_bytes() == staged.before
    except OSError as error:
        raise _refused(staged.file, f"cannot be read any more: {error.strerror}") from None
    if not same:
        raise _refused(staged.file, "was changed while this ran; run it again")


def _put_in_place(staged: Sequence[_Staged]) -> None:
    done: list[_Staged] = []
    for each in staged:
        try:
            # As late as can be: between here and there is no time to speak of.
            _check_unchanged(each)
            each.draft.replace(each.real)
        except (OSError, ConfigurationError) as error:
            left = _undone(done)
            if isinstance(error, ConfigurationError) and not left:
                raise
            text = error.strerror if isinstance(error, OSError) else str(error)
            problems = [Problem(each.file, 0, 0, f"cannot be put in place: {text}")]
            raise ConfigurationError([*problems, *left]) from None
        except BaseException:
            _undone(done)
            raise
        done.append(each)
    for folder in {each.real.parent for each in staged}:
        _sync(folder)


def _undone(done: Sequence[_Staged]) -> list[Problem]:
    """Put back what was there; give a problem for each file where that fails."""
    left = []
    for each in done:
        try:
            if each.real.read_bytes() != each.after:
                text = "was edited here, and changed since: it stays as it is now"
                left.append(Problem(each.file, 0, 0, text))
                continue
            _fill(_created(each.draft), each, each.before)
            each.draft.replace(each.real)
        except OSError as error:
            text = f"was edited and cannot be put back: {error.strerror}"
            left.append(Problem(each.file, 0, 0, text))
    return left


def _sync(folder: Path) -> None:
    # Who may write into a folder need not be able to open it, and some file systems sync none: the
    # files are in place all the same.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refused(file: str, text: str) -> ConfigurationError:
    return ConfigurationError([Problem(file, 0, 0, text)])
