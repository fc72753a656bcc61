"""Putting policy files in force: all or nothing, on record, and never less guarded unasked."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from broker.core.errors import ConfigurationError, Unavailable
from broker.core.policy import PolicySet
from broker.ports import Rejected, Reloaded, ReloadOutcome, Unchanged
from broker.reload.fingerprint import fingerprint_now
from broker.reload.policy_reload import CLOSE_SECONDS
from tests import advancing_loop
from tests.core.builders import NOW
from tests.reload.policy_folders import BASE, BROKEN, DENY, FAILING_TEST, MAIN, policy, write
from tests.reload.reloading import Reloading, reloading


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "policies", base_yaml=BASE, main_yaml=MAIN, deny_yaml=DENY)


@pytest.fixture
async def running(folder: Path) -> AsyncIterator[Reloading]:
    """Policies in force that are those of the folder."""
    async with reloading(folder.parent) as running:
        await running.start()
        running.swapped.clear()
        yield running


async def unasked(running: Reloading) -> ReloadOutcome:
    return await running.reload.reload(forced=False, actor="file change")


async def forced(running: Reloading) -> ReloadOutcome:
    return await running.reload.reload(forced=True, actor="SIGHUP")


def problem(outcome: ReloadOutcome) -> str:
    assert isinstance(outcome, Rejected), outcome
    assert outcome.count == len(outcome.problems) == 1
    return str(outcome.problems[0])


def break_a_file(folder: Path) -> None:
    write(folder, main_yaml=BROKEN)


def fail_a_test(folder: Path) -> None:
    write(folder, more_yaml=FAILING_TEST)


def remove_the_folder(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def replace_the_folder_by_a_file(folder: Path) -> None:
    remove_the_folder(folder)
    folder.write_text("")


def empty_the_folder(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


async def test_what_was_tried_while_waiting_is_not_read_again(
    running: Reloading, folder: Path
) -> None:
    write(folder, more_yaml=policy("more"))
    seen = fingerprint_now(folder, ())
    asked = forced(running)
    noticed = running.reload.reload(forced=False, actor="file change", seen=seen)
    first, second = await asyncio.gather(asked, noticed)

    assert isinstance(first, Reloaded)
    assert second == Unchanged(running.in_force.version)
    assert len(running.swapped) == 1


# --- what is good comes into force ---


async def test_a_changed_file_comes_into_force(running: Reloading, folder: Path) -> None:
    before = running.in_force
    write(folder, main_yaml=MAIN.replace("456789", "7"), more_yaml=policy("more"))
    outcome = await unasked(running)

    assert isinstance(outcome, Reloaded)
    assert sorted(running.policies) == ["main", "more", "no-forks"]
    assert running.in_force.version == outcome.changes.new_version != before.version
    assert [each.policy_set for each in running.swapped] == [running.in_force]
    assert running.reload.fault() is None


async def test_the_audit_tells_what_changed_and_who_did_it(
    running: Reloading, folder: Path
) -> None:
    before = running.in_force.version
    write(folder, main_yaml=MAIN.replace("456789", "7"), more_yaml=policy("more"))
    await unasked(running)

    [event] = await running.events()
    assert event["type"] == "policy.reloaded"
    assert (event["outcome"], event["reason"]) == ("success", None)
    assert (event["actor"], event["target"]) == ("file change", "policies")
    assert event["policy_set"] == running.in_force.version
    changes = event["changes"]
    assert changes["version"] == [before, running.in_force.version]
    assert changes["policies"] == {"added": 1, "removed": 0, "changed": 1}
    assert changes["service_accounts"] == {"added": 0, "removed": 0, "changed": 0}
    assert (changes["dropped_denies"], changes["forced"]) == ([], False)


async def test_the_same_content_twice_is_no_event(running: Reloading, folder: Path) -> None:
    version = running.in_force.version
    write(folder, main_yaml=MAIN)

    assert await unasked(running) == Unchanged(version)
    assert await forced(running) == Unchanged(version)
    assert await running.events() == []


async def test_lines_that_moved_are_told_from_then_on(running: Reloading, folder: Path) -> None:
    write(folder, main_yaml="# a comment\n\n" + MAIN)

    assert isinstance(await unasked(running), Unchanged)
    assert running.policies["main"].place == f"{folder}/main.yaml:4"
    assert await running.events() == []


async def test_reloads_at_once_come_one_after_another(running: Reloading, folder: Path) -> None:
    write(folder, more_yaml=policy("more"))
    outcomes = await asyncio.gather(*(unasked(running) for _ in range(3)))

    assert sorted(type(each).__name__ for each in outcomes) == [
        "Reloaded",
        "Unchanged",
        "Unchanged",
    ]
    assert len(await running.events()) == 1


async def test_a_reload_goes_on_when_its_caller_goes_away(running: Reloading, folder: Path) -> None:
    write(folder, more_yaml=policy("more"))
    caller = asyncio.create_task(forced(running))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await running.reload.close()

    assert "more" in running.policies
    assert len(await running.events()) == 1


def test_a_reload_that_hangs_does_not_hold_up_the_end_for_long(folder: Path) -> None:
    async def test() -> None:
        async with reloading(folder.parent) as running:
            await running.start()
            before = running.in_force
            await running.reader.prepare()
            child = running.reader._prepared
            assert child is not None
            child.process.send_signal(signal.SIGSTOP)
            reload = asyncio.create_task(forced(running))
            await asyncio.sleep(0.01)
            closing = asyncio.create_task(running.reload.close())
            await asyncio.sleep(0)
            advancing_loop.advance(CLOSE_SECONDS + 0.1)
            await closing

            with pytest.raises(asyncio.CancelledError):
                await reload
            assert running.in_force is before

    advancing_loop.run(test())


# --- what is no good changes nothing ---


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("main_yaml", BROKEN, "there is no issuer `nobody`"),
        ("main_yaml", MAIN[:-20], "not YAML"),
        ("more_yaml", FAILING_TEST, "test `strangers deploy` fails"),
        ("more_yaml", MAIN, "already defined"),
    ],
)
async def test_files_that_are_no_good_leave_the_set_in_force(
    running: Reloading,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    text: str,
    word: str,
) -> None:
    before = running.held.current()
    write(folder, **{name: text})

    assert word in problem(await forced(running))
    assert running.held.current() is before
    assert running.swapped == []
    fault = running.reload.fault()
    assert fault is not None
    assert (fault.count, fault.since) == (1, running.clock.now())
    assert word in str(fault.problems[0])
    assert any(word in each.message for each in caplog.records if each.levelno == logging.ERROR)


async def test_the_audit_tells_what_was_rejected_and_why(running: Reloading, folder: Path) -> None:
    write(folder, main_yaml=BROKEN)
    await unasked(running)

    [event] = await running.events()
    assert event["type"] == "policy.rejected"
    assert (event["outcome"], event["actor"]) == ("refused", "file change")
    assert event["policy_set"] == running.in_force.version
    [first] = event["changes"]["first"]
    assert first.startswith(f"{folder}/main.yaml:2:47: there is no issuer `nobody`")
    assert event["changes"]["problems"] == 1


async def test_the_same_problems_again_are_logged_but_not_recorded(
    running: Reloading, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for text in (BROKEN, BROKEN, BROKEN.replace("nobody", "somebody")):
        write(folder, main_yaml=text)
        await unasked(running)

    assert [each["type"] for each in await running.events()] == ["policy.rejected"] * 2
    logged = [each.message for each in caplog.records if "are not in force" in each.message]
    assert len(logged) == 3


async def test_very_many_problems_are_told_in_bounds(
    running: Reloading, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(folder, main_yaml="policies:\n" + "".join(f"  p{n}: {{}}\n" for n in range(500)))
    outcome = await unasked(running)

    assert isinstance(outcome, Rejected)
    assert outcome.count >= 500
    [event] = await running.events()
    assert event["changes"]["problems"] == outcome.count
    assert len(event["changes"]["first"]) == 5
    assert sum(each.message.startswith("policy files:") for each in caplog.records) == 20


async def test_a_mended_file_comes_into_force_and_ends_the_fault(
    running: Reloading, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(folder, main_yaml=BROKEN)
    await unasked(running)
    write(folder, main_yaml=MAIN, more_yaml=policy("more"))

    assert isinstance(await unasked(running), Reloaded)
    assert running.reload.fault() is None
    assert "the policy files are in force again" in caplog.messages


async def test_a_change_taken_back_ends_the_fault_as_well(running: Reloading, folder: Path) -> None:
    write(folder, main_yaml=BROKEN)
    await unasked(running)
    write(folder, main_yaml=MAIN)

    assert isinstance(await unasked(running), Unchanged)
    assert running.reload.fault() is None


async def test_a_fault_lasts_since_it_began(running: Reloading, folder: Path) -> None:
    began = running.clock.now()
    for text in (BROKEN, BROKEN.replace("nobody", "somebody")):
        write(folder, main_yaml=text)
        await unasked(running)
        running.clock.advance(60)

    fault = running.reload.fault()
    assert fault is not None
    assert fault.since == began
    assert "somebody" in str(fault.problems[0])


# --- what needs to be forced (attacks row 168) ---


async def follow(running: Reloading) -> None:
    """Look at the store as a broker does when another has changed it."""
    await running.reload._swap.follow()
    await running.reload.note_followed()


async def test_what_another_broker_of_the_store_has_put_in_force_needs_not_be_meant_here(
    running: Reloading, folder: Path
) -> None:
    (folder / "deny.yaml").unlink()
    await unasked(running)
    assert running.reload.fault() is not None

    async with reloading(folder.parent) as other:
        await other.start()
    await follow(running)

    assert list(running.policies) == ["main"]
    assert running.reload.fault() is None


async def test_what_another_broker_has_put_in_force_mends_no_other_files(
    running: Reloading, folder: Path
) -> None:
    write(folder, main_yaml=BROKEN)
    await unasked(running)
    write(folder, main_yaml=MAIN, more_yaml=policy("more"))

    async with reloading(folder.parent) as other:
        await other.start()
    await follow(running)

    assert "more" in running.policies
    # What was read here is still no good; the watch will read what lies there now.
    assert running.reload.fault() is not None


async def test_a_dropped_deny_policy_has_to_be_meant(running: Reloading, folder: Path) -> None:
    before = running.held.current()
    (folder / "deny.yaml").unlink()

    assert "deny policies would be gone: `no-forks`" in problem(await unasked(running))
    assert running.held.current() is before
    assert isinstance(await forced(running), Reloaded)
    assert list(running.policies) == ["main"]
    assert running.reload.fault() is None
    rejected, reloaded = await running.events()
    assert (rejected["type"], reloaded["type"]) == ("policy.rejected", "policy.reloaded")
    assert reloaded["actor"] == "SIGHUP"
    assert reloaded["changes"]["dropped_denies"] == ["no-forks"]
    assert reloaded["changes"]["forced"] is True


async def test_an_empty_folder_has_to_be_meant(running: Reloading, folder: Path) -> None:
    empty_the_folder(folder)

    assert "no policy is left" in problem(await unasked(running))
    assert running.policies
    assert isinstance(await forced(running), Reloaded)
    assert running.policies == {}


async def test_a_missing_folder_is_never_taken(running: Reloading, folder: Path) -> None:
    remove_the_folder(folder)

    for outcome in (await unasked(running), await forced(running)):
        assert "there is no such folder" in problem(outcome)
    assert running.policies


# --- the store ---


async def test_a_set_that_cannot_be_kept_does_not_come_into_force(
    running: Reloading, folder: Path, tmp_path: Path
) -> None:
    before = running.held.current()
    database, aside = tmp_path / "broker.db", tmp_path / "aside"
    write(folder, more_yaml=policy("more"))
    database.rename(aside)
    with pytest.raises(Unavailable):
        await unasked(running)

    assert running.held.current() is before
    latest = running.reload.latest()
    assert latest is not None
    assert latest.fingerprint is None
    aside.rename(database)
    assert isinstance(await unasked(running), Reloaded)


async def test_rejected_files_are_told_also_when_the_store_takes_no_event(
    running: Reloading, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(folder, main_yaml=BROKEN)
    (tmp_path / "broker.db").rename(tmp_path / "aside")

    assert isinstance(await unasked(running), Rejected)
    assert running.reload.fault() is not None
    assert any("does not take the event" in message for message in caplog.messages)
    (tmp_path / "aside").rename(tmp_path / "broker.db")
    await unasked(running)
    assert [each["type"] for each in await running.events()] == ["policy.rejected"]


async def test_every_set_that_ran_can_be_made_again(running: Reloading, folder: Path) -> None:
    first = running.in_force
    write(folder, main_yaml=MAIN.replace("456789", "7"))
    await unasked(running)
    second = running.in_force
    write(folder, main_yaml=BROKEN)
    await unasked(running)

    assert await running.kept.find(first.version) == first
    assert await running.kept.find(second.version) == second
    assert await running.kept.find("0" * 64) is None


# --- the start ---


async def test_the_first_start_keeps_the_set_and_is_no_event(running: Reloading) -> None:
    assert sorted(running.policies) == ["main", "no-forks"]
    assert await running.kept.last_version() == running.in_force.version
    assert await running.events() == []


async def test_a_first_start_with_files_that_are_no_good_ends(tmp_path: Path) -> None:
    write(tmp_path / "policies", base_yaml=BASE, main_yaml=BROKEN)
    async with reloading(tmp_path) as starting:
        with pytest.raises(ConfigurationError) as refused:
            await starting.start()

    assert "nobody" in str(refused.value)


@pytest.mark.usefixtures("folder")
async def test_a_start_with_what_ran_before_is_no_event(tmp_path: Path) -> None:
    for _ in range(2):
        async with reloading(tmp_path) as starting:
            await starting.start()
            assert await starting.events() == []
            assert starting.reload.fault() is None


async def test_a_start_with_other_files_is_on_record(tmp_path: Path, folder: Path) -> None:
    async with reloading(tmp_path) as before:
        await before.start()
    write(folder, more_yaml=policy("more"))
    async with reloading(tmp_path) as starting:
        await starting.start()
        [event] = await starting.events()

    assert "more" in starting.policies
    assert (event["type"], event["actor"]) == ("policy.reloaded", "start")
    assert event["changes"]["version"] == [before.in_force.version, starting.in_force.version]
    assert event["changes"]["policies"] == {"added": 1, "removed": 0, "changed": 0}


async def test_a_start_without_a_deny_policy_of_before_says_so_loudly(
    tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with reloading(tmp_path) as before:
        await before.start()
    (folder / "deny.yaml").unlink()
    async with reloading(tmp_path) as starting:
        await starting.start()
        [event] = await starting.events()

    assert list(starting.policies) == ["main"]
    assert event["changes"]["dropped_denies"] == ["no-forks"]
    assert "the deny policy 'no-forks' is gone" in caplog.messages


@pytest.mark.parametrize(
    "harm",
    [break_a_file, fail_a_test, remove_the_folder, replace_the_folder_by_a_file, empty_the_folder],
)
async def test_a_start_with_a_broken_folder_runs_the_last_good_set(
    tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture, harm: Callable[[Path], None]
) -> None:
    async with reloading(tmp_path) as before:
        await before.start()
    harm(folder)
    async with reloading(tmp_path) as starting:
        await starting.start()
        [event] = await starting.events()

    assert starting.in_force == before.in_force
    assert starting.reload.fault() is not None
    assert (event["type"], event["actor"]) == ("policy.rejected", "start")
    assert any(each.levelno == logging.ERROR for each in caplog.records)


async def test_a_degraded_start_ends_with_the_next_good_reload(
    tmp_path: Path, folder: Path
) -> None:
    async with reloading(tmp_path) as before:
        await before.start()
    write(folder, main_yaml=BROKEN)
    async with reloading(tmp_path) as starting:
        await starting.start()
        write(folder, main_yaml=MAIN)

        assert isinstance(await unasked(starting), Unchanged)
        assert starting.reload.fault() is None


async def test_the_last_good_set_is_the_last_that_ran(tmp_path: Path, folder: Path) -> None:
    async with reloading(tmp_path) as before:
        await before.start()
        first = before.in_force
        for text in (MAIN.replace("456789", "7"), MAIN):
            write(folder, main_yaml=text)
            await unasked(before)
    write(folder, main_yaml=BROKEN)
    async with reloading(tmp_path) as starting:
        await starting.start()

    assert starting.in_force == first


async def test_a_kept_set_that_was_altered_counts_as_absent(
    tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with reloading(tmp_path) as before:
        await before.start()
        version = before.in_force.version
        content = bytearray(await before.store.policy_set(version) or b"")
        content[-1] ^= 1
        await before.store.keep_policy_set(version, bytes(content), NOW)
    write(folder, main_yaml=BROKEN)
    async with reloading(tmp_path) as starting:
        with pytest.raises(ConfigurationError):
            await starting.start()

    assert any("was altered" in message for message in caplog.messages)


async def test_a_kept_set_that_makes_another_version_counts_as_absent(
    tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with reloading(tmp_path) as before:
        await before.start()
        sealed = await before.store.policy_set(before.in_force.version) or b""
        packed = before.kept.seal.take_off(before.in_force.version, sealed) or b""
        await before.store.keep_policy_set("0" * 64, before.kept.seal.put_on("0" * 64, packed), NOW)
        assert await before.kept.find("0" * 64) is None
    write(folder, main_yaml=BROKEN)
    async with reloading(tmp_path) as starting:
        with pytest.raises(ConfigurationError):
            await starting.start()

    assert any("does not load again" in message for message in caplog.messages)


async def test_a_set_kept_under_another_master_key_counts_as_absent(
    tmp_path: Path, folder: Path
) -> None:
    async with reloading(tmp_path) as before:
        await before.start()
    write(folder, main_yaml=BROKEN)
    async with reloading(tmp_path, key=b"K" * 32) as starting:
        with pytest.raises(ConfigurationError):
            await starting.start()


@pytest.mark.usefixtures("folder")
async def test_a_kept_set_without_a_seal_does_not_keep_good_files_from_starting(
    tmp_path: Path,
) -> None:
    async with reloading(tmp_path) as starting:
        await starting.store.keep_policy_set("0" * 64, b"planted", NOW)
        await starting.start()
        [event] = await starting.events()

    assert sorted(starting.policies) == ["main", "no-forks"]
    assert event["changes"]["version"] == ["0" * 64, starting.in_force.version]


async def test_before_anything_is_in_force_everything_is_refused(tmp_path: Path) -> None:
    async with reloading(tmp_path) as starting:
        assert starting.in_force == PolicySet({}, {}, {}, {})
