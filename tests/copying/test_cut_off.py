"""A process that moves a store is killed: no half of one is served, and the next one succeeds."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.copying.transfer import Succession
from broker.core.errors import ConfigurationError
from broker.settings import SqliteStoreLocation
from broker.stores import redis_keys
from broker.stores.opening import StoreLocation
from tests.copying.conftest import Opened, Place
from tests.copying.filled import fill
from tests.copying.moving import moved, restoring, verified
from tests.redis_server import RedisServer
from tests.stores.entries import NOW, a_spend

ROOT = Path(__file__).parents[2]
EVENTS = 3_000


@pytest.fixture
async def backup(opened: Opened, place: Place) -> SqliteStoreLocation:
    """A store that takes a while to move, in a file that nobody has open."""
    location = place("sqlite")
    assert isinstance(location, SqliteStoreLocation)
    store = await opened(location)
    await fill(store)
    for _ in range(EVENTS // 1000):
        await asyncio.gather(*(store.commit(a_spend(os.urandom(8).hex())) for _ in range(1000)))
    await store.close()
    return location


def command(store: str, *arguments: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
    variables = {"BROKER_STORE": store, "BROKER_ISSUER": "http://127.0.0.1:1"}
    return subprocess.Popen(
        [sys.executable, "-m", "broker", "store", *arguments, "--json"],
        env=kept | variables | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def signalled_once(
    begun: Callable[[], bool], process: subprocess.Popen[str], number: signal.Signals
) -> tuple[str, str]:
    """Send a signal to a process as soon as it has begun to write; give what it said."""
    until = time.monotonic() + 60
    while not begun():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.0005)
    process.send_signal(number)
    return process.communicate(timeout=60)


def killed_once(begun: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Kill a process as soon as it has begun to write."""
    signalled_once(begun, process, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def done(process: subprocess.Popen[str]) -> dict[str, object]:
    output, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    found: dict[str, object] = json.loads(output)
    return found


def drafts(folder: Path) -> list[Path]:
    return list(folder.glob(".*.draft"))


def served(store: str) -> tuple[int, str]:
    """Start a broker that cannot; give its status and what it says."""
    begun = subprocess.run(
        [sys.executable, "-m", "broker", "serve"],
        env={
            "BROKER_STORE": store,
            "BROKER_POLICIES": str(ROOT / "policies"),
            "BROKER_LISTEN": "127.0.0.1:0",
            "PYTHONPATH": str(ROOT),
            "PATH": os.environ["PATH"],
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return begun.returncode, begun.stderr


async def refusal(location: StoreLocation, opened: Opened) -> str:
    with pytest.raises(ConfigurationError) as refused:
        await opened(location)
    return str(refused.value)


@pytest.mark.parametrize("words", [("backup",), ("copy",)])
async def test_a_backup_or_copy_that_is_killed_leaves_no_file_of_that_name(
    words: tuple[str, ...], backup: SqliteStoreLocation, opened: Opened, tmp_path: Path
) -> None:
    folder = tmp_path / "there"
    target = folder / "b.db"
    place = str(target) if words == ("backup",) else f"sqlite:{target}"
    begin = (f"sqlite:{backup.path}", *words, place)
    killed_once(lambda: bool(drafts(folder)), command(*begin))
    [draft] = drafts(folder)
    assert not target.exists()
    if draft.stat().st_size:
        said = await refusal(SqliteStoreLocation(draft), opened)
        assert "half of one, left by a copy that was cut off: delete the file" in said

    done(command(*begin))
    assert [each.name for each in folder.iterdir()] == ["b.db"]


async def test_a_restore_that_is_killed_leaves_the_store_as_it_was(
    backup: SqliteStoreLocation, place: Place, opened: Opened
) -> None:
    target = place("sqlite")
    assert isinstance(target, SqliteStoreLocation)
    store = await opened(target)
    await fill(store)
    await store.close()
    before = target.path.read_bytes()
    begin = (f"sqlite:{target.path}", "restore", str(backup.path), "--replace")
    killed_once(lambda: bool(drafts(target.path.parent)), command(*begin))
    assert target.path.read_bytes() == before

    done(command(*begin))
    assert [each.name for each in target.path.parent.iterdir()] == ["broker.db"]
    assert (await verified(target)).tallies.counts()["events"] > EVENTS


@pytest.mark.parametrize("words", [("restore",), ("copy",)])
async def test_what_is_left_in_redis_of_a_restore_or_copy_is_no_store(
    words: tuple[str, ...],
    backup: SqliteStoreLocation,
    place: Place,
    opened: Opened,
    redis: RedisServer,
) -> None:
    target = place("first redis")
    begin: tuple[str, ...] = (f"sqlite:{backup.path}", "copy", redis.url)
    if words == ("restore",):
        # In place of another one.
        other = place("sqlite")
        await (await opened(other)).commit(a_spend("one"))
        await moved(other, target)
        begin = (redis.url, "restore", str(backup.path), "--replace")

    def begun() -> bool:
        return redis.command("HEXISTS", redis_keys.STATE, redis_keys.COPYING) == "1"

    killed_once(begun, command(*begin))
    assert "holds half of a store" in await refusal(target, opened)
    status, said = served(redis.url)
    assert (status, "run that again" in said) == (2, True), said

    done(command(*begin))
    assert (await verified(target)).tallies.counts()["events"] > EVENTS


@pytest.mark.parametrize("words", [("backup",), ("copy",), ("restore",)])
async def test_what_is_interrupted_ends_soon_and_says_so_and_leaves_nothing(
    words: tuple[str, ...], backup: SqliteStoreLocation, tmp_path: Path
) -> None:
    """It must not end with a store in its place and a status that says otherwise."""
    folder = tmp_path / "there"
    target = folder / "b.db"
    begin = {
        "backup": (f"sqlite:{backup.path}", "backup", str(target)),
        "copy": (f"sqlite:{backup.path}", "copy", f"sqlite:{target}"),
        "restore": (f"sqlite:{target}", "restore", str(backup.path)),
    }[words[0]]
    process = command(*begin)
    output, said = signalled_once(lambda: bool(drafts(folder)), process, signal.SIGINT)

    assert (process.returncode, output) == (130, ""), said
    assert "broker: interrupted before the end: a file is as it was before" in said
    assert "Traceback" not in said
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@pytest.mark.parametrize("turns", range(8))
async def test_a_store_is_in_its_place_only_if_that_was_not_interrupted(
    turns: int, kind: str, backup: SqliteStoreLocation, place: Place
) -> None:
    """Whoever is told that it was interrupted takes what is there for the store of before."""
    target, asked = place(kind), asyncio.Event()

    async def refused_until() -> int:
        asked.set()
        return int(NOW)

    succession = Succession(restoring().event, refused_until)
    moving = asyncio.create_task(moved(backup, target, succession=succession))
    await asked.wait()
    for _ in range(turns):
        await asyncio.sleep(0)
    moving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await moving

    if moving.cancelled():
        with pytest.raises(ConfigurationError):
            await verified(target)
    else:
        await verified(target)
