"""Another master key for a store: all rows or none, and a working pair at any moment."""

import fcntl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from broker.core.audit import AuditEvent
from broker.core.errors import ConfigurationError, Reason, Unavailable
from broker.ports import RowsUnderMasterKey
from broker.reload.seal import KEY_PURPOSE, Seal
from broker.signing.master_key import MasterKey
from broker.signing.rewrap import Rewrap
from broker.signing.sealed_rows import SealedBox
from broker.signing.store_key import load_master_key
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.signing.conftest import NOW, opened_keys
from tests.signing.key_files import holds, names_beside, write
from tests.stores.entries import an_event, put_keys

NEW = MasterKey(bytes(reversed(range(32))))


def seal(master_key: MasterKey) -> Seal:
    return Seal(master_key.derive(KEY_PURPOSE))


def to(new: MasterKey, old: MasterKey) -> Rewrap:
    def reseal(version: str, content: bytes) -> bytes | None:
        packed = seal(old).take_off(version, content)
        return None if packed is None else seal(new).put_on(version, packed)

    return Rewrap(old, new, reseal)


@pytest.fixture
def file(tmp_path: Path, master_key: MasterKey) -> Path:
    file = tmp_path / "master.key"
    write(file, master_key)
    return file


@pytest.fixture
async def filled(
    store: SqliteStore, file: Path, master_key: MasterKey, clock: FrozenClock
) -> SqliteStore:
    """A store with rows of every kind."""
    await load_master_key(file, None, store, may_create=False)
    await opened_keys(store, master_key, clock, "ES256", "EdDSA")
    await store.add_sealed_row("audit", SealedBox(master_key).seal("audit", b"secret"))
    await store.keep_policy_set("version", seal(master_key).put_on("version", b"packed"), NOW)
    return store


async def content(store: SqliteStore) -> object:
    return (
        await store.signing_key_rows(),
        await store.sealed_row("master-key"),
        await store.sealed_row("audit"),
        await store.last_policy_set(),
    )


async def test_everything_is_under_the_new_key_and_nothing_under_the_old(
    filled: SqliteStore, file: Path, master_key: MasterKey, clock: FrozenClock
) -> None:
    before, _ = await opened_keys(filled, master_key, clock, "ES256", "EdDSA")
    await to(NEW, master_key).in_file(file, filled, an_event(type="key.rewrapped"))

    loaded = await load_master_key(file, None, filled, may_create=False)
    assert loaded.text() == NEW.text()
    after, _ = await opened_keys(filled, loaded, clock, "ES256", "EdDSA")
    assert after.current().jwks(NOW) == before.current().jwks(NOW)
    sealed = await filled.sealed_row("audit")
    assert sealed is not None
    assert SealedBox(NEW).unseal("audit", sealed) == b"secret"
    kept = await filled.last_policy_set()
    assert kept is not None
    assert seal(NEW).take_off("version", kept.content) == b"packed"
    with pytest.raises(ConfigurationError, match="is not the master key of this store"):
        await load_master_key(file, master_key.text(), filled, may_create=False)
    assert (await filled.events())[-1]["type"] == "key.rewrapped"
    assert names_beside(file) == ["master.key"]


async def alter_key(store: SqliteStore) -> str:
    row = (await store.signing_key_rows())[0]
    await put_keys(store, replace(row, wrapped=b"altered"))
    return f"broker keys retire {row.key_id}"


async def alter_sealed(store: SqliteStore) -> str:
    await store.add_sealed_row("other", b"altered")
    return "the sealed row 'other' was altered"


async def alter_policies(store: SqliteStore) -> str:
    await store.keep_policy_set("other", b"altered", NOW)
    return "policy set other was altered"


@pytest.mark.parametrize("alter", [alter_key, alter_sealed, alter_policies])
async def test_a_row_that_does_not_open_stops_it_before_anything_changes(
    filled: SqliteStore, file: Path, master_key: MasterKey, alter: Callable[..., object]
) -> None:
    said = await alter(filled)  # type: ignore[misc]
    before = await content(filled)

    with pytest.raises(ConfigurationError) as refused:
        await to(NEW, master_key).in_file(file, filled, an_event())

    assert str(said) in str(refused.value)
    assert await content(filled) == before
    assert holds(file, master_key)
    assert names_beside(file) == ["master.key"]


class CutOff:
    """A store whose process ends in the middle of a change: before the transaction, or after it."""

    def __init__(self, store: SqliteStore, *, committed: bool) -> None:
        self.store = store
        self.committed = committed

    async def rewrap(
        self, anew: Callable[[RowsUnderMasterKey], RowsUnderMasterKey], event: AuditEvent
    ) -> None:
        if self.committed:
            await self.store.rewrap(anew, event)
        raise Unavailable(Reason.STORE_UNAVAILABLE, "cut off")


@pytest.mark.parametrize("committed", [False, True])
async def test_a_change_cut_off_at_any_moment_leaves_a_pair_that_works(
    filled: SqliteStore, file: Path, master_key: MasterKey, clock: FrozenClock, *, committed: bool
) -> None:
    with pytest.raises(Unavailable):
        await to(NEW, master_key).in_file(file, CutOff(filled, committed=committed), an_event())

    loaded = await load_master_key(file, None, filled, may_create=False)

    assert loaded.text() == (NEW if committed else master_key).text()
    keyring, _ = await opened_keys(filled, loaded, clock, "ES256", "EdDSA")
    assert keyring.can_sign(NOW)
    assert not keyring.unreadable()
    # And the next change goes through.
    newest = MasterKey(bytes([7] * 32))
    await to(newest, loaded).in_file(file, filled, an_event())
    assert (await load_master_key(file, None, filled, may_create=False)).text() == newest.text()


async def test_a_broker_that_runs_fails_closed(
    filled: SqliteStore, file: Path, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring, upkeep = await opened_keys(filled, master_key, clock, "ES256", "EdDSA")
    await to(NEW, master_key).in_file(file, filled, an_event())
    rows = await filled.signing_key_rows()

    with pytest.raises(ConfigurationError, match="start the broker again"):
        await keyring.reload()
    assert not keyring.can_sign(NOW)
    with pytest.raises(ConfigurationError):
        await upkeep.keep_up()
    with pytest.raises(ConfigurationError):
        await upkeep.rotate(at_once=True, actor="test")
    assert await filled.signing_key_rows() == rows


async def test_two_changes_at_a_time_are_one_too_many(
    filled: SqliteStore, file: Path, master_key: MasterKey
) -> None:
    with file.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ConfigurationError, match="is being changed by another process"):
            await to(NEW, master_key).in_file(file, filled, an_event())
    assert names_beside(file) == ["master.key"]


async def test_a_file_that_no_longer_holds_the_old_key_is_left_alone(
    filled: SqliteStore, file: Path, master_key: MasterKey
) -> None:
    write(file, MasterKey(bytes([9] * 32)))
    before = await content(filled)

    with pytest.raises(ConfigurationError, match="was changed by another process"):
        await to(NEW, master_key).in_file(file, filled, an_event())
    assert await content(filled) == before


async def test_a_broker_that_starts_in_between_may_put_the_file_in_place(
    filled: SqliteStore, file: Path, master_key: MasterKey
) -> None:
    class StartsInBetween:
        """A store that another process starts on as soon as it has changed."""

        async def rewrap(
            self, anew: Callable[[RowsUnderMasterKey], RowsUnderMasterKey], event: AuditEvent
        ) -> None:
            await filled.rewrap(anew, event)
            await load_master_key(file, None, filled, may_create=False)

    await to(NEW, master_key).in_file(file, StartsInBetween(), an_event())

    assert holds(file, NEW)


async def test_a_file_behind_a_link_is_changed_where_it_is(
    filled: SqliteStore, file: Path, master_key: MasterKey, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(file)

    await to(NEW, master_key).in_file(link, filled, an_event())

    assert link.is_symlink()
    assert holds(file, NEW)
