"""The key of the heads: made once, sealed in the store, never replaced."""

import asyncio
from pathlib import Path

import pytest

from broker.audit.head_key import ROW_NAME, find_head_key, open_head_key
from broker.core.errors import ConfigurationError
from broker.signing.master_key import MasterKey
from broker.signing.sealed_rows import SealedBox
from broker.stores.sqlite import SqliteStore

BOX = SealedBox(MasterKey(bytes(32)))


async def test_the_key_is_made_at_the_first_start_and_found_at_the_next(
    store: SqliteStore,
) -> None:
    assert await find_head_key(store, BOX) is None
    made = await open_head_key(store, BOX)

    again = await open_head_key(store, BOX)
    assert made.verifier() == again.verifier()


async def test_processes_that_start_at_once_agree_on_a_key(store: SqliteStore) -> None:
    keys = await asyncio.gather(*(open_head_key(store, BOX) for _ in range(8)))

    assert len({key.verifier().key_id for key in keys}) == 1


async def test_the_store_shows_nothing_of_the_key(store: SqliteStore, database: Path) -> None:
    await open_head_key(store, BOX)
    sealed = await store.sealed_row(ROW_NAME)

    assert sealed is not None
    seed = BOX.unseal(ROW_NAME, sealed)
    assert seed is not None
    assert seed not in sealed
    assert seed not in await asyncio.to_thread(database.read_bytes)


@pytest.mark.parametrize(
    "content", [b"", b"x" * 60, BOX.seal(ROW_NAME, b"short")], ids=["empty", "noise", "short"]
)
async def test_a_row_that_is_no_key_is_refused_and_not_replaced(
    store: SqliteStore, content: bytes
) -> None:
    await store.add_sealed_row(ROW_NAME, content)

    with pytest.raises(ConfigurationError, match="restore the right master key"):
        await open_head_key(store, BOX)
    assert await store.sealed_row(ROW_NAME) == content


async def test_another_master_key_is_refused(store: SqliteStore) -> None:
    await open_head_key(store, BOX)

    with pytest.raises(ConfigurationError, match="not the master key of this store"):
        await open_head_key(store, SealedBox(MasterKey(b"x" * 32)))


async def test_a_row_that_disappears_is_told() -> None:
    class Forgetful:
        async def sealed_row(self, _name: str) -> bytes | None:
            return None

        async def add_sealed_row(self, _name: str, _content: bytes) -> bool:
            return True

    with pytest.raises(ConfigurationError, match="start it again"):
        await open_head_key(Forgetful(), BOX)
