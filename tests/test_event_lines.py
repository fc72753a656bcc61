"""Events are printed, and whoever reads them can hold nothing up."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.core.audit import GENESIS, AuditEvent, ChainedEvent, chain
from broker.event_lines import EventLines
from broker.ports import Committed, Entry
from broker.shared_output import MAX_WAITING
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock

MORE_THAN_A_PIPE_HOLDS = 400


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Give the reading and the writing end of a pipe."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(writer)
    os.close(reader)


def an_event(number: int) -> AuditEvent:
    return AuditEvent(f"event-{number}", 1.0, "token.refused", "refused", subject="s" * 1000)


def chained(number: int) -> ChainedEvent:
    return chain(an_event(number), number, GENESIS)


def test_each_event_is_a_line(pipe: tuple[int, int]) -> None:
    reader, writer = pipe

    with EventLines(writer) as lines:
        lines(chained(1))
        lines(chained(2))

    printed = os.read(reader, 65_536).decode().splitlines()
    assert [json.loads(line) for line in printed] == [chained(1).members, chained(2).members]


def test_a_descriptor_that_does_not_wait_gets_whole_lines(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.set_blocking(writer, False)

    with EventLines(writer) as lines, os.fdopen(os.dup(reader)) as read:
        for number in range(MORE_THAN_A_PIPE_HOLDS):
            lines(chained(number))
        printed = [json.loads(read.readline()) for _ in range(MORE_THAN_A_PIPE_HOLDS)]

    assert [event["seq"] for event in printed] == list(range(MORE_THAN_A_PIPE_HOLDS))


async def test_a_reader_that_is_stuck_stops_no_commit_and_no_stop(
    pipe: tuple[int, int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with EventLines(pipe[1], stop_seconds=0.01) as lines:
        store = await SqliteStore.open(tmp_path / "store.db", FrozenClock(), on_committed=lines)
        receipts = [
            await store.commit(Entry(an_event(number))) for number in range(MORE_THAN_A_PIPE_HOLDS)
        ]
        await store.close()

    assert receipts[-1] == Committed(MORE_THAN_A_PIPE_HOLDS)
    assert "nobody reads the events" in caplog.text


def test_what_waits_for_a_stuck_reader_is_bounded(pipe: tuple[int, int]) -> None:
    def flood() -> None:
        for number in range(MAX_WAITING + MORE_THAN_A_PIPE_HOLDS):
            lines(chained(number))

    with EventLines(pipe[1], stop_seconds=0.01) as lines, pytest.raises(BlockingIOError):
        flood()


def test_a_reader_that_left_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    with EventLines(writer) as lines:
        lines(chained(7))
    os.close(writer)

    assert "event 7 is stored, but was not printed" in caplog.text


def test_a_broker_without_a_stdout_does_not_start(tmp_path: Path) -> None:
    """Its number would be given to the next file that is opened, such as the store."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/none.yaml").write_text("organizations: {acme: {description: A}}\n")
    close_and_serve = (
        "import os, sys; os.close(1);"
        "os.execv(sys.executable, [sys.executable, '-m', 'broker', 'serve', '--listen',"
        " '127.0.0.1:0'])"
    )
    environment = {"PYTHONPATH": str(Path.cwd()), "BROKER_RATE_LIMITS": "off"}

    ended = subprocess.run(
        [sys.executable, "-c", close_and_serve],
        cwd=tmp_path, env=environment, stderr=subprocess.PIPE, timeout=60, check=False, text=True,
    )  # fmt: skip

    assert (ended.returncode, "stdout is closed" in ended.stderr) == (2, True), ended.stderr
    assert not (tmp_path / "data/broker.db").exists()
