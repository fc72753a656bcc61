"""Which master key a store is under: found, proved, and never replaced (attacks row 187)."""

from dataclasses import replace
from pathlib import Path

import pytest

from broker.core.errors import ConfigurationError
from broker.signing.check_row import CHECK_ROW, check_content
from broker.signing.master_key import MasterKey
from broker.signing.store_key import load_master_key
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.signing.conftest import opened_keys
from tests.signing.key_files import holds, names_beside, remove, write
from tests.stores.entries import put_keys

OTHER = MasterKey(bytes(32))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "master.key"


def successor(file: Path) -> Path:
    return file.with_name("master.key.new")


async def test_the_first_start_leaves_a_row_that_proves_the_key(
    store: SqliteStore, file: Path
) -> None:
    made = await load_master_key(file, None, store, may_create=True)
    content = await store.sealed_row(CHECK_ROW)
    await load_master_key(file, None, store, may_create=True)

    assert content is not None
    assert made.text() not in repr(content)
    assert await store.sealed_row(CHECK_ROW) == content


async def test_a_wrong_key_is_refused_though_nothing_is_wrapped_yet(
    store: SqliteStore, file: Path
) -> None:
    await load_master_key(file, None, store, may_create=True)
    write(file, OTHER)

    with pytest.raises(ConfigurationError, match="is not the master key of this store") as refused:
        await load_master_key(file, None, store, may_create=True)
    assert [problem.file for problem in refused.value.problems] == [str(file)]


async def test_a_wrong_key_of_the_environment_is_named_as_such(
    store: SqliteStore, file: Path
) -> None:
    await load_master_key(file, None, store, may_create=True)

    with pytest.raises(ConfigurationError, match="BROKER_MASTER_KEY: the master key is not"):
        await load_master_key(file, OTHER.text(), store, may_create=True)


async def test_no_key_is_made_beside_a_store_that_holds_the_row_alone(
    store: SqliteStore, file: Path
) -> None:
    await load_master_key(file, None, store, may_create=True)
    remove(file)

    with pytest.raises(ConfigurationError, match="is missing, but the store holds"):
        await load_master_key(file, None, store, may_create=True)
    assert names_beside(file) == []


async def test_a_store_of_an_earlier_version_gets_its_row(
    store: SqliteStore, file: Path, master_key: MasterKey, clock: FrozenClock
) -> None:
    await opened_keys(store, master_key, clock, "ES256")
    write(file, master_key)

    await load_master_key(file, None, store, may_create=False)

    assert await store.sealed_row(CHECK_ROW) is not None


async def test_a_wrong_key_for_a_store_of_an_earlier_version_is_refused(
    store: SqliteStore, file: Path, master_key: MasterKey, clock: FrozenClock
) -> None:
    await opened_keys(store, master_key, clock, "ES256")
    write(file, OTHER)

    with pytest.raises(ConfigurationError, match="is not the master key of this store"):
        await load_master_key(file, None, store, may_create=False)
    assert await store.sealed_row(CHECK_ROW) is None


async def test_an_altered_row_is_told_apart_from_a_wrong_key(
    store: SqliteStore, file: Path, master_key: MasterKey, clock: FrozenClock
) -> None:
    write(file, master_key)
    await load_master_key(file, None, store, may_create=False)
    await opened_keys(store, master_key, clock, "ES256")
    for row in await store.signing_key_rows():
        await put_keys(store, replace(row, wrapped=b"altered"))

    loaded = await load_master_key(file, None, store, may_create=False)

    assert loaded.text() == master_key.text()


async def test_of_two_first_starts_with_keys_of_their_own_one_is_refused(
    store: SqliteStore, file: Path, master_key: MasterKey
) -> None:
    class Late:
        """Sees the store as it was before the other start."""

        def __init__(self) -> None:
            self.looks = 0
            self.signing_key_rows = store.signing_key_rows
            self.change_signing_keys = store.change_signing_keys
            self.add_sealed_row = store.add_sealed_row

        async def sealed_row(self, name: str) -> bytes | None:
            self.looks += 1
            return None if self.looks <= 2 else await store.sealed_row(name)

    await load_master_key(file, master_key.text(), store, may_create=False)

    with pytest.raises(ConfigurationError, match="is not the master key of this store"):
        await load_master_key(file, OTHER.text(), Late(), may_create=False)


# --- A change of the master key that was cut off --------------------------------------------------


@pytest.mark.parametrize("old_is_there", [True, False])
async def test_a_change_cut_off_behind_its_transaction_is_finished(
    store: SqliteStore, file: Path, master_key: MasterKey, *, old_is_there: bool
) -> None:
    await store.add_sealed_row(CHECK_ROW, check_content(master_key))
    if old_is_there:
        write(file, OTHER)
    write(successor(file), master_key)

    loaded = await load_master_key(file, None, store, may_create=True)

    assert loaded.text() == master_key.text()
    assert holds(file, master_key)
    assert names_beside(file) == ["master.key"]


async def test_a_change_cut_off_before_its_transaction_never_was(
    store: SqliteStore, file: Path, master_key: MasterKey
) -> None:
    await store.add_sealed_row(CHECK_ROW, check_content(master_key))
    write(file, master_key)
    write(successor(file), OTHER)

    loaded = await load_master_key(file, None, store, may_create=True)

    assert loaded.text() == master_key.text()
    assert holds(file, master_key)


async def test_a_waiting_key_that_is_not_the_store_s_is_none(
    store: SqliteStore, file: Path, master_key: MasterKey
) -> None:
    await store.add_sealed_row(CHECK_ROW, check_content(master_key))
    write(file, OTHER)
    write(successor(file), MasterKey(bytes([1] * 32)))

    with pytest.raises(ConfigurationError, match="is not the master key of this store"):
        await load_master_key(file, None, store, may_create=True)
