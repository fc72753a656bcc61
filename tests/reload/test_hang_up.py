"""SIGHUP within the process: a reload that is meant, and what becomes of it without a store."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from broker.reload.hang_up import HangUp
from tests.reload.policy_folders import BASE, MAIN, policy, write
from tests.reload.reloading import Reloading, reloading


async def hung_up(running: Reloading, *, until: asyncio.Event) -> None:
    """Send the signal and wait until something has come of it."""
    serving = asyncio.create_task(HangUp().serve(running.reload, lambda: None))
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.wait_for(until.wait(), 60)
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_a_signal_reloads(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", base_yaml=BASE, main_yaml=MAIN)
    async with reloading(tmp_path) as running:
        await running.start()
        write(folder, main_yaml=policy("new"))
        running.swap_came.clear()
        await hung_up(running, until=running.swap_came)
        await running.reload.close()

        [event] = await running.events()
        assert (event["type"], event["actor"]) == ("policy.reloaded", "SIGHUP")
        assert list(running.policies) == ["new"]


async def test_a_signal_while_the_store_is_away_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write(tmp_path / "policies", base_yaml=BASE, main_yaml=MAIN)
    told = asyncio.Event()
    async with reloading(tmp_path) as running:
        await running.start()
        write(folder, main_yaml=policy("new"))
        await asyncio.to_thread((tmp_path / "broker.db").rename, tmp_path / "aside")
        serving = asyncio.create_task(HangUp().serve(running.reload, told.set))
        os.kill(os.getpid(), signal.SIGHUP)
        while not any("were not reloaded" in message for message in caplog.messages):  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.01)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

        assert list(running.policies) == ["main"]
        assert not told.is_set()
