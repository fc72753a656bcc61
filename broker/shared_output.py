"""Whole lines on a descriptor that several processes of one broker write to.

A pipe takes only short lines in one piece. So who writes excludes the others meanwhile, and what a
process left unfinished, because it was killed, ends before the next line begins.
"""

import fcntl
import logging
import mmap
import os
import select
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, Full, Queue
from typing import Final, Generic, TypeVar

MAX_WAITING: Final = 2000
STOP_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 1.0

_BATCH: Final = 64
_PAUSE_SECONDS: Final = 0.005

Item = TypeVar("Item")

logger = logging.getLogger(__name__)


class OutputLock:
    """Excludes the other threads and processes that were given it; made before they are forked."""

    def __init__(self) -> None:
        # NOTE: the lock belongs to the process, which loses it with the first of its descriptors of
        # this file that is closed. There is one, and the system lets go of it when a process ends.
        self._descriptor = _nameless_file()
        self._thread_lock = threading.Lock()
        # Shared by all processes: whether a line was begun and not ended.
        self._unfinished = mmap.mmap(-1, 1)

    @contextmanager
    def held(self, *, patience: float | None = None) -> Iterator[None]:
        """Hold the lock; who has only so much patience (seconds) goes on without it then."""
        with self._thread_lock:
            if patience is None:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
            else:
                _lock_within(self._descriptor, patience)
            try:
                yield
            finally:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def write(self, descriptor: int, line: bytes, *, patience: float | None = None) -> None:
        """Write a line, after the end of one that was left unfinished. Raises `OSError`."""
        if self._unfinished[0]:
            line = b"\n" + line
        self._unfinished[0] = 1
        write_all(descriptor, line, patience=patience)
        self._unfinished[0] = 0


def write_all(descriptor: int, data: bytes, *, patience: float | None = None) -> None:
    """Write everything, waiting for a reader; at most `patience` seconds. Raises `OSError`."""
    # Who started the broker may have set the descriptor so that writing does not wait.
    writable = select.poll()
    writable.register(descriptor, select.POLLOUT)
    while data:
        if not writable.poll(None if patience is None else patience * 1000):
            raise BlockingIOError("nobody reads what was written before")
        with suppress(BlockingIOError):
            data = data[os.write(descriptor, data) :]


class LineWriter(Generic[Item]):
    """Writes each item as a line, by a thread of its own: no reader can hold up who writes.

    It writes to the descriptor itself: a buffer of Python's would be flushed once more at the end,
    and wait for the reader there.
    """

    def __init__(
        self,
        descriptor: int,
        encode: Callable[[Item], bytes],
        failed: Callable[[Item], None],
        *,
        name: str,
        lock: OutputLock | None = None,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        """`descriptor` is copied; what waits at the stop is given `stop_seconds` to be written.

        `encode` gives the bytes of an item, its line end included; `failed` is called, in the
        thread and with the `OSError` under way, for one that was not written. Only one writer of a
        process has a `lock`'s descriptor alone to itself.
        """
        self._descriptor = os.dup(descriptor)
        self._encode = encode
        self._failed = failed
        self._lock = lock
        self._stop_seconds = stop_seconds
        self._waiting: Queue[Item | None] = Queue(MAX_WAITING)
        self._given_up = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Write an item soon. Raises `OSError` when too many wait to be read."""
        try:
            self._waiting.put_nowait(item)
        except Full:
            raise BlockingIOError("nobody reads the lines printed before") from None

    def close(self) -> bool:
        """Write what waits; False when nobody reads it."""
        with suppress(Full):
            self._waiting.put(None, timeout=self._stop_seconds)
            self._thread.join(self._stop_seconds)
        self._given_up = self._thread.is_alive()
        return not self._given_up

    def _run(self) -> None:
        while self._write(self._take()):
            pass
        os.close(self._descriptor)

    def _take(self) -> list[Item | None]:
        """Wait for something to write and take what has come by then."""
        taken = [self._waiting.get()]
        with suppress(Empty):
            while taken[-1] is not None and len(taken) < _BATCH:
                taken.append(self._waiting.get_nowait())
        return taken

    def _write(self, items: list[Item | None]) -> bool:
        """Write some items; tell whether to go on."""
        if self._lock is None:
            return self._write_each(items)
        with self._lock.held():
            return self._write_each(items)

    def _write_each(self, items: list[Item | None]) -> bool:
        for item in items:
            if item is None or self._given_up:
                return False
            try:
                line = self._encode(item)
                if self._lock is None:
                    write_all(self._descriptor, line)
                else:
                    self._lock.write(self._descriptor, line)
            except OSError:
                self._failed(item)
        return True


def same_output(first: int, second: int) -> bool:
    """Tell whether two descriptors write to the same place."""
    one, other = os.fstat(first), os.fstat(second)
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _nameless_file() -> int:
    if sys.platform == "linux":
        # Needs no folder that can be written.
        return os.memfd_create("output-lock", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _lock_within(descriptor: int, seconds: float) -> None:
    ends_at = time.monotonic() + seconds
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= ends_at:
                return
            time.sleep(_PAUSE_SECONDS)
        else:
            return
