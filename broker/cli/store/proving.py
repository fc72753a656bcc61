"""What the master key proves of a store that is moved: its seals, and where its chain begins."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from broker.copying.verification import Proof
    from broker.core.audit_head import HeadKey
    from broker.ports import SigningKeyRow
    from broker.ports.contents import ContentsReading, Part
    from broker.settings import Settings
    from broker.stores.opening import StoreLocation

NO_KEY = (
    "broker: there is no master key here, so that neither the seals of the rows were looked at nor"
    " where a pruned chain begins"
)


@dataclass(frozen=True, slots=True)
class Proving:
    """What is known of a store with its master key, or without it."""

    events: int
    """How many it has."""

    proof: "Proof | None"
    head_key: "HeadKey | None"


async def prove(settings: "Settings", location: "StoreLocation") -> Proving:
    """Look at a store, and find the key that goes with it, if any is configured.

    Raises `ConfigurationError`, also for the master key of another store.
    """
    from broker.audit.head_key import find_head_key
    from broker.copying.seals import Seals
    from broker.copying.verification import Proof
    from broker.reload.seal import KEY_PURPOSE, Seal
    from broker.signing.sealed_rows import SealedBox
    from broker.signing.store_key import find_master_key

    async with _begun(location) as (reading, events):
        if settings.master_key is None and not settings.master_key_file.exists():
            typer.echo(NO_KEY, err=True)
            return Proving(events, None, None)
        given = settings.master_key.reveal() if settings.master_key is not None else None
        rows = KeyRows(reading)
        master_key = await find_master_key(settings.master_key_file, given, rows)
        head_key = await find_head_key(rows, SealedBox(master_key))
    seal = Seal(master_key.derive(KEY_PURPOSE))
    seals = Seals(master_key, lambda version, content: seal.take_off(version, content) is not None)
    verifier = None if head_key is None else head_key.verifier()
    return Proving(events, Proof(verifier, seals.fault), head_key)


@asynccontextmanager
async def _begun(location: "StoreLocation") -> "AsyncIterator[tuple[ContentsReading, int]]":
    from broker.stores.opening import open_contents

    reading = open_contents(location)
    try:
        state = await reading.begin()
        yield reading, state.end.sequence - state.pruned_to
    finally:
        await reading.close()


class KeyRows:
    """The rows that tell whose master key it is, whichever version wrote the store."""

    def __init__(self, reading: "ContentsReading") -> None:
        self._reading = reading

    async def sealed_row(self, name: str) -> bytes | None:
        """Find the content of a sealed row."""
        from broker.ports.contents import SEALED

        rows = dict(await self._every(SEALED))
        content = rows.get(name)
        return content if isinstance(content, bytes) else None

    async def signing_key_rows(self) -> "list[SigningKeyRow]":
        """List every row."""
        from broker.ports.contents import SIGNING_KEYS
        from broker.stores.content_rows import key_of

        return [key_of(row) for row in await self._every(SIGNING_KEYS)]

    async def _every(self, part: "Part") -> "list[Any]":
        from broker.ports.contents import StoreChanged

        found: list[Any] = []
        # What changes meanwhile belongs to the same key, or the command ends.
        with suppress(StoreChanged):
            async for rows in self._reading.rows(part):
                found += rows
        return found
