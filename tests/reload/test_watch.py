"""Files that change are read once they have been left alone; the loop's time is put forward."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from broker.reload.reading import Reading, Refused
from broker.reload.watch import LOOK_EVERY, SETTLE, PolicyWatch
from tests import advancing_loop
from tests.policy_files.conftest import a_jwks
from tests.reload.policy_folders import BASE, BROKEN, DENY, MAIN, ConfigMap, policy, replace, write
from tests.reload.reloading import Reloading, reloading

CORP = "issuers: {corp: {preset: gitlab, issuer: 'https://g.example', jwks_file: ../keys.json}}\n"
Test = Callable[[Reloading], Coroutine[Any, Any, None]]


def watched(home: Path, test: Test) -> None:
    """Run a test on policies that are in force and watched."""

    async def run() -> None:
        async with reloading(home) as running:
            await running.start()
            running.swapped.clear()
            watching = asyncio.create_task(PolicyWatch(running.reader, running.reload).run())
            try:
                await test(running)
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    advancing_loop.run(run())


async def until(holds: Callable[[], bool]) -> None:
    """Put the time forward until something holds; files and processes take real time."""
    for _ in range(3000):
        if holds():
            return
        advancing_loop.advance(SETTLE)
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to hold")


async def quietly(running: Reloading) -> None:
    """Put the time forward for very many looks, which must not lead to a reading."""
    latest = running.reload.latest()
    for _ in range(50):
        advancing_loop.advance(LOOK_EVERY)
        await asyncio.sleep(0.01)
    assert running.reload.latest() is latest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "policies", base_yaml=BASE, main_yaml=MAIN)


def rename_over(folder: Path) -> None:
    replace(folder / "main.yaml", policy("new"))


def write_in_place(folder: Path) -> None:
    (folder / "main.yaml").write_text(policy("new"))


def add_a_file_in_a_new_folder(folder: Path) -> None:
    write(folder / "teams" / "web", web_yaml=policy("new"))


def move_a_folder_in(folder: Path) -> None:
    write(folder.parent / "web", web_yaml=policy("new")).rename(folder / "web")


def replace_the_folder(folder: Path) -> None:
    new = write(folder.parent / "next", base_yaml=BASE, main_yaml=policy("new"))
    folder.rename(folder.parent / "before")
    new.rename(folder)


@pytest.mark.parametrize(
    "change",
    [rename_over, write_in_place, add_a_file_in_a_new_folder, move_a_folder_in, replace_the_folder],
)
def test_a_change_comes_into_force(
    tmp_path: Path, folder: Path, change: Callable[[Path], None]
) -> None:
    async def test(running: Reloading) -> None:
        change(folder)
        await until(lambda: "new" in running.policies)
        [event] = await running.events()
        assert (event["type"], event["actor"]) == ("policy.reloaded", "file change")

    watched(tmp_path, test)


def test_a_configmap_is_followed_forth_and_back(tmp_path: Path) -> None:
    mounted = ConfigMap(tmp_path / "policies", base_yaml=BASE, main_yaml=policy("first"))
    first = mounted.moment

    async def test(running: Reloading) -> None:
        mounted.update(base_yaml=BASE, main_yaml=policy("second"))
        await until(lambda: list(running.policies) == ["second"])
        mounted.point_to(first)
        await until(lambda: list(running.policies) == ["first"])

    watched(tmp_path, test)


def test_a_folder_behind_a_link_is_followed_when_the_link_is_changed(tmp_path: Path) -> None:
    for number in (1, 2):
        write(tmp_path / f"release-{number}", base_yaml=BASE, main_yaml=policy(f"of-{number}"))
    (tmp_path / "policies").symlink_to("release-1")

    async def test(running: Reloading) -> None:
        (tmp_path / "draft").symlink_to("release-2")
        (tmp_path / "draft").rename(tmp_path / "policies")
        await until(lambda: list(running.policies) == ["of-2"])

    watched(tmp_path, test)


def test_a_file_that_a_policy_file_names_is_watched(tmp_path: Path, folder: Path) -> None:
    write(folder, corp_yaml=CORP)
    (tmp_path / "keys.json").write_bytes(a_jwks())

    async def test(running: Reloading) -> None:
        replacement = a_jwks()
        (tmp_path / "keys.json").write_bytes(replacement)
        await until(lambda: running.in_force.issuers["corp"].keys.document == replacement)

    watched(tmp_path, test)


def test_a_named_file_that_comes_late_is_awaited(tmp_path: Path, folder: Path) -> None:
    async def test(running: Reloading) -> None:
        write(folder, corp_yaml=CORP)
        await until(lambda: running.reload.fault() is not None)
        (tmp_path / "keys.json").write_bytes(a_jwks())
        await until(lambda: running.reload.fault() is None)
        assert "corp" in running.in_force.issuers

    watched(tmp_path, test)


def test_a_half_written_checkout_is_never_read(tmp_path: Path, folder: Path) -> None:
    steps = [
        {"new_yaml": BROKEN},
        {"new_yaml": policy("new")[:40]},
        {"deny_yaml": ""},
        {"new_yaml": policy("new"), "main_yaml": ""},
        {"deny_yaml": DENY, "main_yaml": MAIN.replace("main:", "kept:")},
    ]

    async def test(running: Reloading) -> None:
        for texts in steps:
            write(folder, **texts)
            # However much of it goes by before the watch sees this: it looks once more in the end.
            advancing_loop.advance(SETTLE * 0.9)
            await asyncio.sleep(0.01)
        await until(lambda: bool(running.swapped))

        assert list(running.policies) == ["kept", "new", "no-forks"]
        assert [each["type"] for each in await running.events()] == ["policy.reloaded"]

    watched(tmp_path, test)


def test_files_that_stay_as_they_are_are_not_read_again(tmp_path: Path, folder: Path) -> None:
    async def test(running: Reloading) -> None:
        await quietly(running)
        (folder / "README.md").write_text("what is here")
        await quietly(running)

    watched(tmp_path, test)


def test_files_that_are_no_good_are_tried_once(tmp_path: Path, folder: Path) -> None:
    async def test(running: Reloading) -> None:
        write(folder, main_yaml=BROKEN)
        await until(lambda: running.reload.fault() is not None)
        await quietly(running)
        write(folder, main_yaml=policy("new"))
        await until(lambda: running.reload.fault() is None)

    watched(tmp_path, test)


def test_a_change_taken_back_at_once_is_not_read(tmp_path: Path) -> None:
    mounted = ConfigMap(tmp_path / "policies", base_yaml=BASE, main_yaml=policy("first"))
    first = mounted.moment

    async def test(running: Reloading) -> None:
        latest = running.reload.latest()
        mounted.update(base_yaml=BASE, main_yaml=BROKEN)
        await until_prepared(running)
        mounted.point_to(first)
        await until(lambda: running.reader._prepared is None)
        assert running.reload.latest() is latest

    watched(tmp_path, test)


async def until_prepared(running: Reloading) -> None:
    """Wait until the watch has seen a change, without a moment of settling."""
    for _ in range(3000):
        if running.reader._prepared is not None:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never saw the change")


def test_a_folder_that_goes_away_and_comes_back_is_followed(tmp_path: Path, folder: Path) -> None:
    async def test(running: Reloading) -> None:
        shutil.rmtree(folder)
        await until(lambda: running.reload.fault() is not None)
        assert list(running.policies) == ["main"]
        write(folder, base_yaml=BASE, main_yaml=MAIN)
        await until(lambda: running.reload.fault() is None)
        # Also the new folder is watched.
        write(folder, more_yaml=policy("more"))
        await until(lambda: "more" in running.policies)

    watched(tmp_path, test)


def test_a_folder_that_is_mounted_late_is_found(tmp_path: Path, folder: Path) -> None:
    async def start_once() -> None:
        async with reloading(tmp_path) as running:
            await running.start()

    async def test(running: Reloading) -> None:
        assert running.reload.fault() is not None
        (tmp_path / "not yet").rename(folder)
        await until(lambda: running.reload.fault() is None)

    advancing_loop.run(start_once())
    folder.rename(tmp_path / "not yet")
    watched(tmp_path, test)


def test_a_set_that_the_store_did_not_take_is_tried_again(tmp_path: Path, folder: Path) -> None:
    async def test(running: Reloading) -> None:
        (tmp_path / "broker.db").rename(tmp_path / "aside")
        write(folder, more_yaml=policy("more"))
        await until(lambda: (running.reload.latest() or unknown).fingerprint is None)
        assert "more" not in running.policies
        (tmp_path / "aside").rename(tmp_path / "broker.db")
        await until(lambda: "more" in running.policies)

    unknown = Reading(Refused((), 0), "not read")
    watched(tmp_path, test)
