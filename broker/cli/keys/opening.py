"""The store and the keys that a command works on: those of the configured broker."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from broker.cli.endings import fail, server_extra, told_plainly

if TYPE_CHECKING:
    from broker.ports import Store
    from broker.settings import Settings
    from broker.signing.key_upkeep import KeyUpkeep
    from broker.signing.keyring import Keyring
    from broker.signing.master_key import MasterKey

ACTOR: Final = "command line"
NEW_KEY_VARIABLE: Final = "BROKER_NEW_MASTER_KEY"


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class OpenedKeys:
    """What the commands work with."""

    settings: "Settings"
    store: "Store"
    master_key: "MasterKey"
    keys: "KeyUpkeep"
    keyring: "Keyring"


def run(
    command: str,
    config: Path | None,
    data: Path,
    work: Callable[[OpenedKeys], Coroutine[Any, Any, Result]],
) -> Result:
    """Do the work of a command; end it with one message when it cannot be done."""
    with server_extra(f"keys {command}"):
        from broker.core.key_schedule import RetirementRefused

        async def whole() -> Result:
            async with _opened(config, data) as opened:
                return await work(opened)

        try:
            with told_plainly():
                return asyncio.run(whole())
        except RetirementRefused as refused:
            fail(str(refused))


@asynccontextmanager
async def _opened(config: Path | None, data: Path) -> AsyncIterator[OpenedKeys]:
    from broker import bootstrap
    from broker.core.errors import ConfigurationError, Problem
    from broker.settings import load
    from broker.stores.opening import NO_STORE, open_store, store_exists
    from broker.system import SystemClock, UuidV7Identifiers

    environment = {name: value for name, value in os.environ.items() if name != NEW_KEY_VARIABLE}
    settings = load(config, environment, data_dir=data, working_directory=Path.cwd(), serving=False)
    if not await store_exists(settings.store):
        raise ConfigurationError([Problem(settings.store.shown, 0, 0, NO_STORE)])
    clock = SystemClock()
    store = await open_store(settings.store, clock, serving=False)
    try:
        master_key = await bootstrap.load_store_key(settings, store, may_create=False)
        keyring, keys = await bootstrap.open_signing_keys(
            settings, store, master_key, clock, UuidV7Identifiers()
        )
        yield OpenedKeys(settings, store, master_key, keys, keyring)
    finally:
        await store.close()
