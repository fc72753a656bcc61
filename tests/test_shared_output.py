"""Several processes write lines to one pipe: none is broken by another's, nor by a death."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from broker.logs import PatientLog
from broker.shared_output import LineWriter, OutputLock, same_output
from broker.workers.forking import fork

# The tests' own process may have threads; a supervisor has none.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

LONG = 20_000  # more than a pipe takes in one piece
LINES = 30


@contextmanager
def a_pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    try:
        yield reader, writer
    finally:
        os.close(reader)
        os.close(writer)


def encoded(line: str) -> bytes:
    return line.encode() + b"\n"


def unexpected(line: str) -> None:
    raise AssertionError(line)


def written_by(number: int, writer: int, lock: OutputLock) -> Callable[[], int]:
    """Give what a process does that writes long lines by a thread."""

    def run() -> int:
        lines: LineWriter[str] = LineWriter(writer, encoded, unexpected, name="lines", lock=lock)
        for count in range(LINES):
            lines.put(json.dumps([number, count, "x" * LONG]))
        return 0 if lines.close() else 1

    return run


def test_lines_of_several_processes_are_never_mixed() -> None:
    lock = OutputLock()
    with a_pipe() as (reader, writer):
        processes = [fork(written_by(number, writer, lock)) for number in range(3)]
        with os.fdopen(os.dup(reader), "r") as read:
            found = [json.loads(read.readline()) for _ in range(3 * LINES)]
        assert [os.waitpid(each, 0)[1] for each in processes] == [0, 0, 0]

    for number in range(3):
        assert [each[1] for each in found if each[0] == number] == list(range(LINES))


def test_a_line_that_a_killed_process_left_unfinished_ends_before_the_next() -> None:
    lock = OutputLock()
    with a_pipe() as (reader, writer):

        def run() -> int:
            with lock.held():
                lock.write(writer, b"x" * 1_000_000)
            return 0

        process = fork(run)
        assert os.read(reader, 1) == b"x"
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        with os.fdopen(os.dup(reader), "rb") as read:
            thread = threading.Thread(target=PatientLog(writer, lock).write, args=("next\n",))
            thread.start()
            assert set(read.readline()) == set(b"x\n")
            assert read.readline() == b"next\n"
            thread.join()


def test_who_has_no_thread_waits_for_a_reader_only_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("broker.logs.PATIENCE_SECONDS", 0.01)
    lock = OutputLock()
    with a_pipe() as (_, writer):
        os.set_blocking(writer, False)
        with suppress(BlockingIOError):
            while os.write(writer, b"x" * 65_536):
                pass
        with pytest.raises(BlockingIOError):
            PatientLog(writer, lock).write("line\n")


def test_who_has_no_thread_goes_on_without_a_lock_that_another_process_keeps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("broker.logs.PATIENCE_SECONDS", 0.01)
    lock = OutputLock()
    with a_pipe() as (reader, writer):

        def run() -> int:
            with lock.held():
                os.write(writer, b"held\n")
                signal.pause()
            return 0

        process = fork(run)
        with os.fdopen(os.dup(reader), "rb") as read:
            assert read.readline() == b"held\n"
            PatientLog(writer, lock).write("line\n")
            assert read.readline() == b"line\n"
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def test_two_descriptors_of_one_file_are_the_same_output(tmp_path: Path) -> None:
    with (tmp_path / "one").open("wb") as one, (tmp_path / "other").open("wb") as other:
        again = os.dup(one.fileno())
        assert same_output(one.fileno(), again)
        assert not same_output(one.fileno(), other.fileno())
        os.close(again)
