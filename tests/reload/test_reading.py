"""Policy files read by real processes: what comes back, and what becomes of processes that fail."""

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker.core.conditions import Condition, Equals
from broker.messages import Message
from broker.reload.fingerprint import _STEP, fingerprint_now
from broker.reload.reading import LARGE, LoadedSet, PolicyReader, Reading, Refused
from broker.testing import FrozenClock
from tests.reload.policy_folders import BASE, BROKEN, MAIN, policy, write
from tests.reload.test_sources import PARAMETERS


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[PolicyReader]:
    reader = PolicyReader(tmp_path / "policies", PARAMETERS, FrozenClock())
    yield reader
    await reader.close()


def children() -> set[int]:
    """List the processes that this one has started."""
    command = ["ps", "-o", "pid=", "--ppid", str(os.getpid())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ps:
        assert ps.stdout is not None
        return {int(pid) for pid in ps.stdout.read().split()} - {ps.pid}


async def prepared(reader: PolicyReader) -> "subprocess.Popen[bytes]":
    await reader.prepare()
    assert reader._prepared is not None
    return reader._prepared.process


def loaded(outcome: LoadedSet | Refused) -> LoadedSet:
    assert isinstance(outcome, LoadedSet), outcome
    return outcome


def refused(outcome: LoadedSet | Refused) -> str:
    assert isinstance(outcome, Refused), outcome
    assert outcome.count == len(outcome.problems) == 1
    return str(outcome.problems[0])


async def test_a_folder_is_read_in_a_process_that_ends(reader: PolicyReader) -> None:
    write(reader.folder, base_yaml=BASE, main_yaml=MAIN)
    before = children()
    reading = await reader.read()

    assert list(loaded(reading.outcome).policy_set.policies) == ["main"]
    assert reading.fingerprint == fingerprint_now(reader.folder, ())
    assert children() <= before


async def test_problems_come_back_with_their_places(reader: PolicyReader) -> None:
    write(reader.folder, base_yaml=BASE, broken_yaml=BROKEN)
    reading = await reader.read()

    assert refused(reading.outcome).startswith(f"{reader.folder}/broken.yaml:2:47: there is no")
    assert reading.fingerprint == fingerprint_now(reader.folder, ())


async def test_a_set_is_made_again_from_what_was_kept_of_it(reader: PolicyReader) -> None:
    write(reader.folder, base_yaml=BASE, main_yaml=MAIN)
    read = loaded((await reader.read()).outcome)
    write(reader.folder, main_yaml=BROKEN)

    again = loaded(await reader.rebuild(read.policy_set.version, read.packed))
    assert again.policy_set == read.policy_set
    assert "makes another one" in refused(await reader.rebuild("0" * 64, read.packed))


async def test_a_change_is_found_among_texts_that_are_known(reader: PolicyReader) -> None:
    write(reader.folder, base_yaml=BASE, main_yaml=MAIN)
    first = loaded((await reader.read()).outcome)
    write(reader.folder, main_yaml=MAIN.replace("456789", "7"))
    second = loaded((await reader.read()).outcome)
    write(reader.folder, main_yaml=MAIN)
    third = loaded((await reader.read()).outcome)

    assert second.policy_set != first.policy_set
    assert third.policy_set == first.policy_set


async def test_a_prepared_process_reads_what_is_there_when_it_is_asked(
    reader: PolicyReader,
) -> None:
    write(reader.folder, base_yaml=BASE)
    before = children()
    await asyncio.gather(reader.prepare(), reader.prepare())
    started = children() - before
    write(reader.folder, main_yaml=MAIN)
    reading = await reader.read()

    assert len(started) == 1
    assert loaded(reading.outcome).policy_set.policies
    assert children() <= before


async def test_no_process_is_prepared_while_one_reads(reader: PolicyReader) -> None:
    write(reader.folder, base_yaml=BASE)
    process = await prepared(reader)
    process.send_signal(signal.SIGSTOP)
    reading = asyncio.create_task(reader.read())
    await asyncio.sleep(0)
    await reader.prepare()

    assert reader._prepared is None
    process.send_signal(signal.SIGCONT)
    loaded((await reading).outcome)
    await reader.prepare()
    assert reader._prepared is not None


def many_policies(count: int) -> str:
    """Write a file of policies on repositories of their own."""
    lines = (
        f"  app-{number}: {{service_account: deploy-web, issuer: github,"
        f" match: {{repository_id: {number}}}}}"
        for number in range(count)
    )
    return "\n".join(["policies:", *lines, ""])


async def of_a_large_folder(reader: PolicyReader) -> set[int]:
    """Read a large folder as at a start, and give the process that waits then."""
    write(reader.folder, base_yaml=BASE, many_yaml=many_policies(LARGE))
    before = children()
    loaded((await reader.read(at_start=True)).outcome)
    await reader.rest()
    return children() - before


async def test_beside_a_large_folder_a_process_stays(reader: PolicyReader) -> None:
    before = children()
    waiting = await of_a_large_folder(reader)
    assert len(waiting) == 1

    for repository in ("acme/one", "acme/two"):
        write(reader.folder, more_yaml=policy("more", repository))
        policies = loaded((await reader.read()).outcome).policy_set.policies
        assert policies["more"].conditions == (
            Condition("repository", Equals(repository), folded=True),
        )
        assert len(policies) == LARGE + 1
        assert children() - before == waiting


async def test_the_process_that_stays_is_replaced_after_a_while(
    reader: PolicyReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.reload.reading.MOST_ANSWERS", 2)
    before = children()
    waiting = await of_a_large_folder(reader)

    loaded((await reader.read()).outcome)
    assert children() - before == waiting
    loaded((await reader.read()).outcome)
    assert len(children() - before) == 1
    assert children().isdisjoint(waiting)


async def test_the_process_that_stays_is_told_what_it_does_not_know(reader: PolicyReader) -> None:
    await of_a_large_folder(reader)
    first = loaded((await reader.read()).outcome)
    assert reader._prepared is not None
    told = reader._prepared.told

    assert told == set(reader._outlines)
    assert reader._order("read", told).parts == []
    write(reader.folder, more_yaml=policy("more"))
    loaded((await reader.read()).outcome)
    (reader.folder / "more.yaml").unlink()
    assert loaded((await reader.read()).outcome).policy_set == first.policy_set


async def test_a_large_folder_that_becomes_small_needs_no_process(reader: PolicyReader) -> None:
    before = children()
    await of_a_large_folder(reader)
    (reader.folder / "many.yaml").unlink()
    loaded((await reader.read()).outcome)

    assert children() - before == set()


async def test_beside_any_other_folder_none_waits(reader: PolicyReader) -> None:
    write(reader.folder, base_yaml=BASE, main_yaml=MAIN)
    before = children()
    loaded((await reader.read(at_start=True)).outcome)
    await reader.prepare()
    await reader.rest()

    assert children() - before == set()


async def test_a_process_that_was_prepared_for_nothing_is_ended(reader: PolicyReader) -> None:
    before = children()
    await reader.prepare()
    await reader.close()
    await reader.close()

    assert children() <= before


async def test_a_prepared_process_that_died_is_replaced(reader: PolicyReader) -> None:
    write(reader.folder, base_yaml=BASE)
    process = await prepared(reader)
    process.kill()
    await asyncio.to_thread(process.wait)

    loaded((await reader.read()).outcome)


async def test_a_process_that_is_killed_is_told_and_nothing_is_read(reader: PolicyReader) -> None:
    write(reader.folder, base_yaml=BASE)
    process = await prepared(reader)
    process.send_signal(signal.SIGSTOP)
    reading = asyncio.create_task(reader.read())
    await asyncio.sleep(0)
    process.kill()

    told = refused((await reading).outcome)
    assert told == (
        f"{reader.folder}: the policy files were not read: the process for it was ended by SIGKILL"
    )
    assert (await reading).fingerprint == fingerprint_now(reader.folder, ())


async def test_a_process_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    write(tmp_path, base_yaml=BASE)
    before = children()
    reader = PolicyReader(tmp_path, PARAMETERS, FrozenClock(), deadline=0.2)
    (await prepared(reader)).send_signal(signal.SIGSTOP)

    assert "not read within 0.2 seconds" in refused((await reader.read()).outcome)
    assert children() <= before


async def test_a_process_that_cannot_be_started_is_told(
    reader: PolicyReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(reader.folder, base_yaml=BASE)
    monkeypatch.setattr(sys, "executable", str(reader.folder / "no-python"))
    await reader.prepare()

    told = refused((await reader.read()).outcome)
    assert "no process for it could be started: No such file or directory" in told


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"not a pickle",
        pickle.dumps("version"),
        pickle.dumps("version") + pickle.dumps(("secrets", [("a", 1)])) + pickle.dumps(None),
        pickle.dumps("version") + pickle.dumps(7) + pickle.dumps(None),
        pickle.dumps("version") + pickle.dumps(("policies", [print])) + pickle.dumps(None),
    ],
)
async def test_a_process_that_sends_something_else_than_a_set_is_told(
    reader: PolicyReader, sent: bytes
) -> None:
    answer = Message({"loaded": True, "lapsed": []}, [b"", sent])

    process = await prepared(reader)
    assert "sent something else" in refused(await reader._outcome(answer))
    assert process.returncode == -signal.SIGKILL


async def test_a_reading_that_is_cancelled_leaves_no_process(reader: PolicyReader) -> None:
    write(reader.folder, base_yaml=BASE)
    before = children()
    (await prepared(reader)).send_signal(signal.SIGSTOP)
    reading = asyncio.create_task(reader.read())
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert children() <= before


async def test_an_end_that_nobody_waits_for_leaves_nothing_open(reader: PolicyReader) -> None:
    process = await prepared(reader)
    ending = asyncio.create_task(reader.close())
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.gather(ending, return_exceptions=True)

    assert process.returncode == -signal.SIGKILL
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdin.closed
    assert process.stdout.closed


async def read_while_scribbling(reader: PolicyReader) -> tuple[Reading, int]:
    """Read a folder in which a file is written all the time; tell its longest pause (ns) too."""
    stop, pauses = threading.Event(), [0]

    def scribble() -> None:
        wrote = time.time_ns()
        while not stop.is_set():
            write(reader.folder, main_yaml=MAIN)
            pauses.append(-wrote + (wrote := time.time_ns()))

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        reading = await reader.read()
    finally:
        stop.set()
        thread.join()
    return reading, max(pauses)


async def test_files_that_never_stop_changing_are_not_taken(reader: PolicyReader) -> None:
    write(reader.folder, base_yaml=BASE)
    reading, longest_pause = await read_while_scribbling(reader)
    while longest_pause > _STEP // 2 and not isinstance(reading.outcome, Refused):
        # A machine that kept the scribbler from its work proves nothing.
        reading, longest_pause = await read_while_scribbling(reader)

    assert "changed each time while they were read" in refused(reading.outcome)
    assert reading.fingerprint is None


async def test_the_process_gets_no_secret_of_the_broker(
    reader: PolicyReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_MASTER_KEY", "very secret")
    pid = (await prepared(reader)).pid
    shown = subprocess.run(  # noqa: ASYNC221 - nothing else is to run meanwhile
        ["ps", "eww", "-o", "args=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout

    assert "reading_process" in shown
    assert "very secret" not in shown


async def test_a_module_in_the_working_directory_is_not_run(
    reader: PolicyReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(reader.folder, base_yaml=BASE)
    planted = tmp_path / "planted"
    planted.mkdir()
    (planted / "yaml.py").write_text("raise SystemExit('planted code ran')\n")
    monkeypatch.chdir(planted)

    loaded((await reader.read()).outcome)


async def test_what_decides_about_a_set_goes_along(tmp_path: Path) -> None:
    write(tmp_path, base_yaml=BASE)
    parameters = replace(PARAMETERS, ttl=42, broker_issuer="https://other.example")
    reader = PolicyReader(tmp_path, parameters, FrozenClock())
    policy_set = loaded((await reader.read()).outcome).policy_set

    assert policy_set.services["deploy-api"].ttl == 42
    assert policy_set.issuers["github"].audiences == {"https://other.example"}
