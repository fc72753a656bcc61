"""The file of the master key: for its owner alone, made once, exchanged whole."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from broker.signing.master_key import MAKE_ONE, MasterKey, master_key_fault

_MAX_FILE_BYTES: Final = 1024


def read(file: Path) -> str | None:
    """Read the file, None when there is none."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise master_key_fault(str(file), f"cannot be read: {error.strerror}") from None
    try:
        # Of the open file, not of the path, which may change in between.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise master_key_fault(str(file), "is not a regular file")
        if _open_to_others(status, os.geteuid()):
            raise master_key_fault(str(file), f"is open to other users: chmod 600 {file}")
        return os.read(descriptor, _MAX_FILE_BYTES).decode("ascii", errors="replace")
    finally:
        os.close(descriptor)


def _open_to_others(status: os.stat_result, user: int) -> bool:
    """Tell whether others than the owner may read or change a file.

    NOTE: A group may read what root has given to it: an orchestrator mounts a secret so that the
    broker's group, and the broker through it alone, can read it, and the credentials of a service
    manager show an access list where the rights of the group stand.
    """
    others = stat.S_IRWXG | stat.S_IRWXO
    if status.st_uid == 0 != user:
        others &= ~stat.S_IRGRP
    return bool(status.st_mode & others)


def create(file: Path) -> None:
    """Create the file with a new key, unless another process creates it first."""
    text = MasterKey.generate().text().encode()
    draft = file.with_name(f".{file.name}.{os.urandom(8).hex()}")
    try:
        for folder in reversed([parent for parent in file.parents if not parent.exists()]):
            folder.mkdir(mode=0o700, exist_ok=True)
        _write(draft, text + b"\n")
        try:
            # As exclusive as O_EXCL, and the file is never seen without its content.
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        _sync_folder(file.parent)
    except OSError as error:
        raise master_key_fault(
            str(file), f"cannot be created: {error.strerror}; {MAKE_ONE}"
        ) from None


def _write(file: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(file, flags, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the name durable: what is wrapped under the key must not outlive it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def successor(file: Path) -> Path:
    """Name the file in which a new key waits until the store is under it."""
    real = file.resolve()
    return real.with_name(f"{real.name}.new")


def write_successor(file: Path, master_key: MasterKey) -> None:
    """Write the new key beside the file, in place of one that never came to anything.

    Raises `OSError`.
    """
    waiting = successor(file)
    waiting.unlink(missing_ok=True)
    _write(waiting, master_key.text().encode() + b"\n")
    _sync_folder(waiting.parent)


def put_successor_in_place(file: Path) -> None:
    """Let the new key take the place of the file. Raises `OSError`."""
    waiting = successor(file)
    waiting.replace(file.resolve())
    _sync_folder(waiting.parent)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Keep other changes of the master key away. Raises `ConfigurationError`."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not _locks(descriptor, file):
            raise master_key_fault(str(file), "is being changed by another process")
        yield
    finally:
        os.close(descriptor)


def _locks(descriptor: int, file: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # Another process may have put a new file in its place before the lock was ours.
    opened, there = os.fstat(descriptor), file.stat()
    return (opened.st_dev, opened.st_ino) == (there.st_dev, there.st_ino)


def drop_successor(file: Path) -> None:
    """Forget a new key that came to nothing."""
    successor(file).unlink(missing_ok=True)
