"""Issuers' keys in the store: which set stays when several are kept, and what counts as none."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from broker.core.errors import Reason, Unavailable
from broker.core.kept_keys import MAX_AHEAD, KeptKeys
from broker.core.policy import Issuer
from broker.signing.check_row import leave_check_row
from broker.signing.master_key import MasterKey
from broker.signing.rewrap import Rewrap
from broker.signing.sealed_issuer_keys import KEEP_AFTER, PREFIX, SealedIssuerKeys
from broker.signing.sealed_rows import SealedBox
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.signing.conftest import NOW
from tests.stores.entries import an_event

GITLAB = Issuer("gitlab", "https://gitlab.corp.example", frozenset({"https://broker.example"}))
ROW = PREFIX + "gitlab"
LATER = 10_000.0


def of(since: float, document: bytes = b"{}", *, uploaded: bool = False) -> KeptKeys:
    return KeptKeys(document, since, uploaded=uploaded)


@pytest.fixture
def keys(store: SqliteStore, master_key: MasterKey) -> SealedIssuerKeys:
    return SealedIssuerKeys(store, SealedBox(master_key))


async def kept(keys: SealedIssuerKeys, issuer: Issuer = GITLAB) -> KeptKeys | None:
    [found] = await keys.kept([issuer])
    return found


async def test_nothing_is_kept_in_the_beginning(keys: SealedIssuerKeys) -> None:
    assert await keys.kept([]) == []
    assert await keys.kept([GITLAB]) == [None]


async def test_a_kept_set_is_found_by_another_process(
    keys: SealedIssuerKeys, store: SqliteStore, master_key: MasterKey
) -> None:
    assert await keys.keep(GITLAB, of(NOW), NOW)

    other = SealedIssuerKeys(store, SealedBox(master_key))
    assert await kept(other) == of(NOW)


async def test_several_are_found_at_once(keys: SealedIssuerKeys) -> None:
    names = ["a", "b", "c"]
    for name in names[:2]:
        await keys.keep(replace(GITLAB, name=name), of(NOW, name.encode()), NOW)

    found = await keys.kept([replace(GITLAB, name=name) for name in names])
    assert found == [of(NOW, b"a"), of(NOW, b"b"), None]


async def test_an_older_set_does_not_take_the_place_of_a_newer_one(keys: SealedIssuerKeys) -> None:
    """A key that was withdrawn stays so, whichever replica heard of it last."""
    await keys.keep(GITLAB, of(NOW, b"without the key"), NOW)

    assert not await keys.keep(GITLAB, of(NOW - 1, b"with the key"), NOW + LATER)
    assert await kept(keys) == of(NOW, b"without the key")


async def test_of_sets_kept_at_once_the_newest_stays(
    keys: SealedIssuerKeys, store: SqliteStore, master_key: MasterKey
) -> None:
    others = [SealedIssuerKeys(store, SealedBox(master_key)) for _ in range(3)]
    await asyncio.gather(
        *(
            each.keep(GITLAB, of(NOW + number, b"%d" % number), NOW)
            for number, each in enumerate([keys, *others])
        )
    )

    assert await kept(keys) == of(NOW + 3, b"3")


async def test_a_set_that_has_not_changed_is_written_again_after_a_while(
    keys: SealedIssuerKeys,
) -> None:
    await keys.keep(GITLAB, of(NOW), NOW)

    assert not await keys.keep(GITLAB, of(NOW + KEEP_AFTER - 1), NOW + LATER)
    assert await keys.keep(GITLAB, of(NOW + 1, b"changed"), NOW + LATER)
    assert await keys.keep(GITLAB, of(NOW + 1 + KEEP_AFTER, b"changed"), NOW + LATER)
    assert await kept(keys) == of(NOW + 1 + KEEP_AFTER, b"changed")


async def test_a_set_of_a_clock_far_ahead_does_not_stay(keys: SealedIssuerKeys) -> None:
    await keys.keep(GITLAB, of(NOW + LATER), NOW + LATER)

    assert not await keys.keep(GITLAB, of(NOW), NOW + LATER - MAX_AHEAD)
    assert await keys.keep(GITLAB, of(NOW), NOW)
    assert await kept(keys) == of(NOW)


async def test_to_keep_raises_no_epoch_and_to_upload_does(
    keys: SealedIssuerKeys, store: SqliteStore
) -> None:
    epoch = await store.state_epoch()
    await keys.keep(GITLAB, of(NOW), NOW)
    await keys.keep(GITLAB, of(NOW + LATER), NOW + LATER)
    assert await store.state_epoch() == epoch

    await keys.upload(GITLAB, of(NOW, uploaded=True), an_event(type="issuer.keys_uploaded"))
    assert await store.state_epoch() == epoch + 1
    assert await kept(keys) == of(NOW, uploaded=True)
    assert [each["type"] for each in await store.events()] == ["issuer.keys_uploaded"]


async def test_what_was_uploaded_gives_way_to_what_is_fetched_later(keys: SealedIssuerKeys) -> None:
    await keys.upload(GITLAB, of(NOW, uploaded=True), an_event())

    assert not await keys.keep(GITLAB, of(NOW - 1), NOW)
    assert await keys.keep(GITLAB, of(NOW + 1), NOW)


async def test_another_configuration_of_an_issuer_finds_nothing_and_alarms_nobody(
    keys: SealedIssuerKeys, caplog: pytest.LogCaptureFixture
) -> None:
    await keys.keep(GITLAB, of(NOW), NOW)
    moved = replace(GITLAB, url="https://gitlab.corp.example:8443")

    assert await kept(keys, moved) is None
    assert await keys.keep(moved, of(NOW - 1), NOW)
    assert await kept(keys, moved) == of(NOW - 1)
    assert caplog.records == []


async def test_what_does_not_open_is_told_once_and_gives_way(
    keys: SealedIssuerKeys, store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    await store.add_sealed_row(ROW, b"planted")

    for _ in range(3):
        assert await kept(keys) is None
    assert [each.getMessage() for each in caplog.records] == [
        "the row issuer-keys/gitlab was altered, or made by somebody else; it counts as absent"
    ]
    assert await keys.keep(GITLAB, of(NOW), NOW)
    assert await kept(keys) == of(NOW)


async def test_a_process_under_the_master_key_of_before_writes_nothing(
    keys: SealedIssuerKeys, store: SqliteStore, master_key: MasterKey
) -> None:
    await leave_check_row(store, master_key, "test")
    await keys.keep(GITLAB, of(NOW), NOW)
    new = MasterKey(bytes(32))
    rewrap = Rewrap(master_key, new, lambda _version, content: content)
    await rewrap.in_store(store, an_event(type="key.rewrapped"))

    assert not await keys.keep(GITLAB, of(NOW + LATER), NOW + LATER)
    assert await kept(SealedIssuerKeys(store, SealedBox(new))) == of(NOW)


async def test_a_row_that_does_not_open_does_not_stop_a_change_of_the_master_key(
    keys: SealedIssuerKeys, store: SqliteStore, master_key: MasterKey
) -> None:
    await leave_check_row(store, master_key, "test")
    await store.add_sealed_row(ROW, b"planted")
    new = MasterKey(bytes(32))
    rewrap = Rewrap(master_key, new, lambda _version, content: content)

    await rewrap.in_store(store, an_event(type="key.rewrapped"))

    anew = SealedIssuerKeys(store, SealedBox(new))
    assert await kept(anew) is None
    assert await anew.keep(GITLAB, of(NOW), NOW)


@pytest.mark.parametrize("plain", [b"", b"[]", b"{}", b"null", b'{"version":1}'])
async def test_what_opens_and_says_nothing_counts_as_absent(
    keys: SealedIssuerKeys, store: SqliteStore, master_key: MasterKey, plain: bytes
) -> None:
    await store.add_sealed_row(ROW, SealedBox(master_key).seal(ROW, plain))

    assert await kept(keys) is None


class Contended(SqliteStore):
    """A store in which another process is always quicker."""

    async def replace_sealed_row(self, name: str, before: bytes, content: bytes) -> bool:
        return False


async def test_a_row_that_is_never_as_it_was_seen_is_given_up(
    tmp_path: Path, clock: FrozenClock, master_key: MasterKey
) -> None:
    store = await Contended.open(tmp_path / "contended.db", clock)
    keys = SealedIssuerKeys(store, SealedBox(master_key))
    await keys.keep(GITLAB, of(NOW), NOW)

    assert not await keys.keep(GITLAB, of(NOW + LATER), NOW + LATER)
    assert await kept(keys) == of(NOW)
    await store.close()


async def test_a_store_out_of_reach_is_told(keys: SealedIssuerKeys, store: SqliteStore) -> None:
    await store.close()

    with pytest.raises(Unavailable) as refused:
        await keys.keep(GITLAB, of(NOW), NOW)
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
