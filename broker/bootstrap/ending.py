"""How what runs beside the requests is begun and ended."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

logger = logging.getLogger(__name__)


def begin(run: Callable[[], Coroutine[Any, Any, None]]) -> "asyncio.Task[None]":
    """Begin what runs for as long as the broker serves; a fault that ends it is logged at once."""
    task = asyncio.create_task(run(), name=run.__qualname__)
    task.add_done_callback(_tell_of_fault)
    return task


async def cancel(task: "asyncio.Task[None]") -> None:
    """End a task, and wait until it has ended."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _tell_of_fault(task: "asyncio.Task[None]") -> None:
    """Say that a duty is done no more: nobody waits for it before the end."""
    if not task.cancelled() and (error := task.exception()) is not None:
        message = "%s has failed and does nothing more: start the broker again"
        logger.critical(message, task.get_name(), exc_info=error)
