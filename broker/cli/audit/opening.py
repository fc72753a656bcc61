"""The configured store, opened for reading, and what commands on its events need besides."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.cli.endings import fail

if TYPE_CHECKING:
    from broker.core.audit_head import HeadKey
    from broker.ports import StoreReading
    from broker.settings import Settings
    from broker.signing.master_key import MasterKey

Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="From then on: a date (UTC), a time, or 24h for a day ago."),
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Before then; as --since.")]


def settings_of(config: Path | None, data: Path) -> "Settings":
    """Read the configuration as `serve --data` does. Raises `ConfigurationError`."""
    from broker.settings import load

    return load(config, os.environ, data_dir=data, working_directory=Path.cwd(), serving=False)


def store_of(settings: "Settings") -> "StoreReading":
    """Open the store for reading. Raises `ConfigurationError`, now or at the first query."""
    from broker.stores.opening import open_reading

    return open_reading(settings.store)


async def master_key_of(settings: "Settings", store: "StoreReading") -> "MasterKey":
    """Load the master key. Raises `ConfigurationError` and `Unavailable`."""
    from broker.signing.store_key import find_master_key

    given = settings.master_key.reveal() if settings.master_key is not None else None
    return await find_master_key(settings.master_key_file, given, store)


async def head_key_of(settings: "Settings", store: "StoreReading") -> "HeadKey":
    """Load the key that signs heads. Raises `ConfigurationError` and `Unavailable`."""
    from broker.audit.head_key import find_head_key
    from broker.signing.sealed_rows import SealedBox

    key = await find_head_key(store, SealedBox(await master_key_of(settings, store)))
    if key is None:
        fail("the store has no key for heads yet; a broker makes it at its first start")
    return key


def instant(option: str, text: str | None) -> float | None:
    """Read the time of an option. Ends the command when it is none."""
    from broker.core.instants import InstantRefused, parse_instant

    if text is None:
        return None
    try:
        return parse_instant(text, time.time())
    except InstantRefused as error:
        fail(f"{option}: {error}")
