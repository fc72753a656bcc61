"""The broker's keys as a process holds them: over replicas and faults (attacks rows 127, 183)."""

import asyncio
import logging
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from broker.core.errors import ConfigurationError, Reason, Unavailable
from broker.core.signing_keys import SigningKey, SigningSchedule
from broker.ports import SigningKeyChange
from broker.signing.check_row import CHECK_ROW
from broker.signing.key_pairs import generate
from broker.signing.key_wrap import KeyWrap
from broker.signing.keyring import Keyring
from broker.signing.master_key import MasterKey
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.signing.conftest import DAY, NOW, opened_keys
from tests.stores.entries import put_keys


def ids(keyring: Keyring) -> set[str]:
    return {key.key_id for key in keyring.current().keys}


async def test_a_key_signs_what_verifies_with_its_published_half(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring, _ = await opened_keys(store, master_key, clock, "EdDSA")
    key = keyring.signing_key("EdDSA", NOW)

    public_key = key.private_key.public_key()
    assert key.signer.verify(b"message", public_key, key.sign(b"message"))


async def test_no_key_for_an_algorithm_is_unavailable(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring, _ = await opened_keys(store, master_key, clock, "ES256")

    with pytest.raises(Unavailable) as refused:
        keyring.signing_key("RS256", NOW)
    assert refused.value.reason is Reason.STORE_UNAVAILABLE


async def test_a_closed_store_gives_no_keys(store: SqliteStore, master_key: MasterKey) -> None:
    await store.close()

    with pytest.raises(Unavailable):
        await opened_keys(store, master_key, FrozenClock(NOW), "ES256")


async def test_a_reload_brings_what_another_replica_changed(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring, _ = await opened_keys(store, master_key, clock, "ES256")
    _, other = await opened_keys(store, master_key, clock, "ES256")
    before = keyring.signing_key("ES256", NOW)
    await other.rotate(at_once=True, actor="test")
    assert keyring.signing_key("ES256", NOW) is before

    await keyring.reload()

    assert keyring.signing_key("ES256", NOW) != before
    assert len(ids(keyring)) == 3


async def test_who_has_not_heard_of_the_store_for_long_signs_no_longer(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    await opened_keys(store, master_key, clock, "ES256")
    elapsed = FrozenClock(0)
    keyring = await Keyring.open(store, master_key, trusted_for=DAY / 2, elapsed=elapsed.now)

    elapsed.advance(DAY / 2)
    assert keyring.can_sign(NOW)
    elapsed.advance(1)
    assert not keyring.can_sign(NOW)
    with pytest.raises(Unavailable):
        keyring.signing_key("ES256", NOW)
    assert keyring.current().jwks(NOW)["keys"] != []

    await keyring.reload()
    assert keyring.can_sign(NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"wrapped": bytes(64)},
        {"schedule": SigningSchedule(NOW, NOW + 1)},
        {"generation": 7},
    ],
    ids=["content", "schedule", "generation"],
)
async def test_an_altered_row_counts_as_absent_and_alarms_once(
    store: SqliteStore,
    master_key: MasterKey,
    clock: FrozenClock,
    caplog: pytest.LogCaptureFixture,
    change: dict[str, Any],
) -> None:
    keyring, _ = await opened_keys(store, master_key, clock, "ES256", "EdDSA")
    signing = keyring.signing_key("ES256", NOW)
    [row] = [row for row in keyring.rows() if row.key_id == signing.key_id]
    altered = replace(row, **change)
    epoch = await store.state_epoch()
    assert await store.change_signing_keys(SigningKeyChange(epoch, (), (row,), ()))
    assert await put_keys(store, altered)

    with caplog.at_level(logging.ERROR):
        await keyring.reload()
        await keyring.reload()

    assert signing.key_id not in ids(keyring)
    assert [row.key_id for row in keyring.unreadable()] == [signing.key_id]
    [alarm] = caplog.records
    assert signing.key_id in alarm.message
    assert alarm.message.endswith("it counts as absent")
    assert keyring.can_sign(NOW)


async def test_a_row_planted_under_another_master_key_counts_as_absent(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring, _ = await opened_keys(store, master_key, clock, "ES256")
    mine = keyring.signing_key("ES256", NOW)
    planted = SigningKey.of(generate("ES256"), "ES256", SigningSchedule(NOW, NOW))
    await put_keys(store, KeyWrap(MasterKey(bytes(32))).wrap(planted, 9))

    await keyring.reload()

    assert planted.key_id not in ids(keyring)
    assert keyring.signing_key("ES256", NOW) is mine


async def test_a_standby_takes_over_from_a_key_whose_row_was_altered(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring, upkeep = await opened_keys(store, master_key, clock, "ES256")
    signing = keyring.signing_key("ES256", NOW)
    [row] = [row for row in keyring.rows() if row.key_id == signing.key_id]
    [standby] = ids(keyring) - {signing.key_id}
    await put_keys(store, replace(row, wrapped=b"altered"))

    await upkeep.keep_up()

    assert keyring.signing_key("ES256", NOW).key_id == standby
    assert [each.state for each in await upkeep.listed()] == [None, "signing", "standby"]


async def test_a_row_that_cannot_be_read_is_dropped_when_it_is_retired(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring, upkeep = await opened_keys(store, master_key, clock, "ES256")
    signing = keyring.signing_key("ES256", NOW).key_id
    [row] = [row for row in keyring.rows() if row.key_id == signing]
    await put_keys(store, replace(row, wrapped=b"altered"))

    await upkeep.retire(signing, "test")

    assert keyring.unreadable() == frozenset()
    assert [each.state for each in await upkeep.listed()] == ["signing", "standby"]
    retired = [event for event in await store.events() if event["type"] == "key.retired"]
    assert [event["target"] for event in retired] == [signing]


async def test_a_store_under_another_master_key_is_not_signed_for(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock, tmp_path: Path
) -> None:
    keyring, _ = await opened_keys(store, master_key, clock, "ES256")
    await store.add_sealed_row(CHECK_ROW, b"of another")
    with closing(apsw.Connection(str(tmp_path / "broker.db"))) as database:
        database.execute("UPDATE signing_keys SET wrapped = x'00'")

    with pytest.raises(ConfigurationError, match="under another master key now"):
        await keyring.reload()
    assert not keyring.can_sign(NOW)
    with pytest.raises(Unavailable):
        keyring.signing_key("ES256", NOW)
    # What was signed until now can still be verified.
    assert keyring.current().jwks(NOW)["keys"] != []


async def test_an_altered_check_row_alarms_and_stops_nothing(
    store: SqliteStore,
    master_key: MasterKey,
    clock: FrozenClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await store.add_sealed_row(CHECK_ROW, b"altered")
    await put_keys(
        store,
        KeyWrap(master_key).wrap(
            SigningKey.of(generate("ES256"), "ES256", SigningSchedule(NOW, NOW)), 1
        ),
    )

    keyring = await Keyring.open(store, master_key, trusted_for=DAY)
    await keyring.reload()

    assert keyring.can_sign(NOW)
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
        "the row of the store that proves the master key was altered"
    ]


async def test_reloads_at_the_same_moment_end_with_the_latest(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring, upkeep = await opened_keys(store, master_key, clock, "ES256")

    await asyncio.gather(
        keyring.reload(), upkeep.rotate(at_once=True, actor="test"), keyring.reload()
    )

    rows = await store.signing_key_rows()
    assert ids(keyring) == {row.key_id for row in rows}


def test_keys_are_made_for_known_algorithms_alone() -> None:
    with pytest.raises(ValueError, match="HS256"):
        generate("HS256")
