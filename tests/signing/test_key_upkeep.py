"""Keys that follow one another in a store: starts, rotations, retirements (rows 127 to 129)."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from broker.core.key_schedule import RetirementRefused
from broker.signing.master_key import MasterKey
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.signing.conftest import DAY, NOW, opened_keys

ROOT = Path(__file__).parents[2]


async def types(store: SqliteStore) -> list[str]:
    return [event["type"] for event in await store.events()]


async def test_the_first_start_makes_a_key_that_signs_and_one_that_waits(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring, upkeep = await opened_keys(store, master_key, clock, "RS256", "ES256", "EdDSA")

    listed = [(key.algorithm, key.state) for key in await upkeep.listed()]
    assert listed == [
        (algorithm, state)
        for algorithm in ("ES256", "EdDSA", "RS256")
        for state in ("signing", "standby")
    ]
    published = keyring.current().jwks(NOW)["keys"]
    assert {jwk["alg"]: jwk["kty"] for jwk in published} == {
        "RS256": "RSA",
        "ES256": "EC",
        "EdDSA": "OKP",
    }
    assert len(published) == 6
    assert await types(store) == ["key.created"] * 6


async def test_the_next_start_has_the_same_keys_and_records_nothing(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    await opened_keys(store, master_key, clock, "ES256", "EdDSA")
    rows = await store.signing_key_rows()
    clock.advance(29 * DAY)
    await opened_keys(store, master_key, clock, "ES256", "EdDSA")

    assert await store.signing_key_rows() == rows
    assert len(await types(store)) == 4


async def test_the_standby_signs_when_its_time_has_come_and_another_one_waits(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring, upkeep = await opened_keys(store, master_key, clock, "ES256")
    first, second = [key.key_id for key in await upkeep.listed()]
    clock.advance(30 * DAY)
    assert keyring.signing_key("ES256", clock.now()).key_id == second

    await upkeep.keep_up()

    assert [key.state for key in await upkeep.listed()] == ["retired", "signing", "standby"]
    clock.advance(DAY + 60)
    await upkeep.keep_up()
    assert first not in {key.key_id for key in await upkeep.listed()}
    assert (await types(store))[-2:] == ["key.created", "key.removed"]


async def test_a_rotation_waits_until_the_standby_was_published_for_long_enough(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring, upkeep = await opened_keys(store, master_key, clock, "ES256")
    first, second = [key.key_id for key in await upkeep.listed()]
    clock.advance(3600)

    [planned] = await upkeep.rotate(at_once=False, actor="test")

    assert (planned.before, planned.key_id, planned.sign_from) == (first, second, NOW + DAY)
    assert keyring.signing_key("ES256", NOW + DAY - 1).key_id == first
    assert keyring.signing_key("ES256", NOW + DAY).key_id == second
    event = (await store.events())[-1]
    assert (event["type"], event["actor"], event["target"]) == ("key.rotated", "test", second)
    assert set(event["changes"]["sign_from"]) == {
        "2027-02-14T08:00:00.000Z",
        "2027-01-16T08:00:00.000Z",
    }
    # What was brought forward is not put off again.
    await upkeep.keep_up()
    assert keyring.signing_key("ES256", NOW + DAY).key_id == second


async def test_a_rotation_lets_a_standby_sign_that_verifiers_know(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring, upkeep = await opened_keys(store, master_key, clock, "ES256")
    clock.advance(2 * DAY)
    [done] = await upkeep.rotate(at_once=False, actor="test")

    assert done.sign_from == clock.now()
    assert keyring.signing_key("ES256", clock.now()).key_id == done.key_id
    assert [key.state for key in await upkeep.listed()] == ["retired", "signing", "standby"]


async def test_a_rotation_at_once_waits_for_nothing(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring, upkeep = await opened_keys(store, master_key, clock, "ES256", "EdDSA")
    before = {key.key_id for key in keyring.current().keys if key.schedule.signs(NOW)}

    done = await upkeep.rotate(at_once=True, actor="test")

    assert {each.before for each in done} == before
    assert {each.sign_from for each in done} == {NOW}
    assert keyring.current().algorithms(NOW) == ["ES256", "EdDSA"]
    assert {each.key_id for each in done} == {
        keyring.signing_key(algorithm, NOW).key_id for algorithm in ("ES256", "EdDSA")
    }


async def test_a_retired_key_is_gone_at_once_and_the_standby_signs(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring, upkeep = await opened_keys(store, master_key, clock, "ES256")
    first, second = [key.key_id for key in await upkeep.listed()]

    await upkeep.retire(first, "test")

    assert first not in {jwk["kid"] for jwk in keyring.current().jwks(NOW)["keys"]}
    assert keyring.signing_key("ES256", NOW).key_id == second
    assert [key.state for key in await upkeep.listed()] == ["signing", "standby"]
    events = [(event["type"], event["target"]) for event in await store.events()]
    assert ("key.retired", first) in events


async def test_a_retired_standby_is_followed_by_another(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    _, upkeep = await opened_keys(store, master_key, clock, "ES256")
    first, second = [key.key_id for key in await upkeep.listed()]

    await upkeep.retire(second, "test")

    ids = [(key.key_id, key.generation, key.state) for key in await upkeep.listed()]
    assert ids[0] == (first, 1, "signing")
    assert ids[1][1:] == (3, "standby")


async def test_what_is_no_key_is_not_retired(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    _, upkeep = await opened_keys(store, master_key, clock, "ES256")

    with pytest.raises(RetirementRefused, match="no signing key 'nobody'"):
        await upkeep.retire("nobody", "test")


async def test_an_algorithm_added_later_gets_keys_and_the_others_stay(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    await opened_keys(store, master_key, clock, "ES256")
    before = await store.signing_key_rows()
    keyring, _ = await opened_keys(store, master_key, clock, "ES256", "EdDSA")

    assert set(before) < set(await store.signing_key_rows())
    assert keyring.current().algorithms(NOW) == ["ES256", "EdDSA"]


async def test_an_algorithm_no_longer_listed_stays_published_until_its_tokens_are_over(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    await opened_keys(store, master_key, clock, "ES256", "EdDSA")
    keyring, upkeep = await opened_keys(store, master_key, clock, "ES256")

    assert keyring.current().algorithms(NOW) == ["ES256"]
    assert [key.state for key in await upkeep.listed() if key.algorithm == "EdDSA"] == ["retired"]
    assert (await types(store))[-1:] == ["key.retired"]
    clock.advance(DAY + 60)
    await upkeep.keep_up()
    assert {key.algorithm for key in await upkeep.listed()} == {"ES256"}


async def test_keys_opened_at_the_same_moment_are_the_same(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    opened = await asyncio.gather(
        *(opened_keys(store, master_key, clock, "ES256", "EdDSA") for _ in range(5))
    )

    assert len({frozenset(keyring.rows()) for keyring, _ in opened}) == 1
    assert await types(store) == ["key.created"] * 4


async def test_replicas_that_keep_up_at_the_same_moment_end_with_the_same_rows(
    tmp_path: Path, master_key: MasterKey, clock: FrozenClock
) -> None:
    stores = [await SqliteStore.open(tmp_path / "shared.db", clock) for _ in range(2)]
    replicas = [await opened_keys(store, master_key, clock, "ES256", "EdDSA") for store in stores]
    for days in (30, 2, 40, 100):
        clock.advance(days * DAY)
        await asyncio.gather(*(upkeep.keep_up() for _, upkeep in replicas))
        listed = [await upkeep.listed() for _, upkeep in replicas]

        assert listed[0] == listed[1]
        live = [key.state for key in listed[0] if key.state != "retired"]
        assert live == ["signing", "standby"] * 2
    # Nothing was made twice: every key that was ever made has a generation of its own.
    created = [event for event in await stores[0].events() if event["type"] == "key.created"]
    places = [(event["changes"]["algorithm"], event["changes"]["generation"]) for event in created]
    assert sorted(set(places)) == sorted(places)
    for store in stores:
        await store.close()


def test_processes_started_at_the_same_moment_end_with_the_same_keys(tmp_path: Path) -> None:
    """Neither file nor folder, master key nor signing key exists when both begin."""
    command = [sys.executable, "-m", "tests.signing.starting_process", str(tmp_path / "data")]
    processes = [
        subprocess.Popen(
            [*command, "RS256", "ES256"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
    keys = [process.communicate("go\n", timeout=120)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert len(keys[0].split()) == 4
    assert keys[0] == keys[1]


async def test_events_are_passed_on_in_the_order_of_the_chain(
    tmp_path: Path, master_key: MasterKey, clock: FrozenClock
) -> None:
    passed: list[Any] = []
    store = await SqliteStore.open(tmp_path / "other.db", clock, on_committed=passed.append)
    _, upkeep = await opened_keys(store, master_key, clock, "ES256")
    await upkeep.rotate(at_once=True, actor="test")
    await store.close()

    assert [event.sequence for event in passed] == list(range(1, len(passed) + 1))
    assert len(passed) == 4
