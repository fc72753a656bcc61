"""What runs beside the requests, and how it is begun and ended."""

import asyncio
import logging

import pytest

from broker.bootstrap.ending import begin, cancel


async def failing() -> None:
    raise ValueError("the fault itself")


async def waiting() -> None:
    await asyncio.Event().wait()


async def test_a_duty_that_fails_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    task = begin(failing)
    with pytest.raises(ValueError, match="the fault itself"):
        await task
    await asyncio.sleep(0)

    [line] = caplog.records
    assert (line.levelno, line.getMessage().split()[0]) == (logging.CRITICAL, "failing")
    assert line.exc_info is not None


async def test_a_duty_that_is_ended_is_not(caplog: pytest.LogCaptureFixture) -> None:
    task = begin(waiting)
    await asyncio.sleep(0)
    await cancel(task)

    assert caplog.records == []
