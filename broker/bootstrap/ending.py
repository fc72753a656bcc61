"""How what runs beside the requests is ended."""

import asyncio
from contextlib import suppress


async def cancel(task: "asyncio.Task[None]") -> None:
    """End a task, and wait until it has ended."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
