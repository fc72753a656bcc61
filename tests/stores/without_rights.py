"""What opening a store says where rights are missing; called in a process that they bind."""

import asyncio
from pathlib import Path

from broker.core.errors import ConfigurationError
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.stores.entries import NOW


def read_only_folder(folder: Path) -> list[str]:
    """Open a store in a folder that may only be read: one that is there, and a new one."""
    database = _a_closed_store(folder / "data" / "broker.db")
    database.parent.chmod(0o500)
    said = [_refusal(database), _refusal(database.with_name("new.db"))]
    database.parent.chmod(0o700)
    return said


def unreadable_file(folder: Path) -> str:
    """Open a store whose file may not be read."""
    database = _a_closed_store(folder / "broker.db")
    database.chmod(0)
    return _refusal(database)


def _a_closed_store(database: Path) -> Path:
    asyncio.run(_open_and_close(database))
    return database


async def _open_and_close(database: Path) -> None:
    store = await SqliteStore.open(database, FrozenClock(NOW))
    await store.close()


def _refusal(database: Path) -> str:
    try:
        asyncio.run(_open_and_close(database))
    except ConfigurationError as error:
        (problem,) = error.problems
        return str(problem)
    return "opened"
