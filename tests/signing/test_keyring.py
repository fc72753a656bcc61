"""The broker's keys over starts, replicas and faults (attacks rows 127 to 129)."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from broker.core.errors import ConfigurationError, Reason, Unavailable
from broker.core.signing_keys import SigningKey, SigningSchedule
from broker.signing.key_wrap import KeyWrap
from broker.signing.keyring import Keyring, generate
from broker.signing.master_key import MasterKey
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.signing.conftest import NOW

ROOT = Path(__file__).parents[2]


def ids(keyring: Keyring) -> set[str]:
    return {key.key_id for key in keyring.current().keys}


async def test_the_first_start_makes_a_key_of_every_algorithm(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring = await Keyring.open(store, master_key, ["RS256", "ES256", "EdDSA"], clock)

    assert keyring.current().algorithms(NOW) == ["ES256", "EdDSA", "RS256"]
    published = {jwk["alg"]: jwk for jwk in keyring.current().jwks(NOW)["keys"]}
    assert {alg: jwk["kty"] for alg, jwk in published.items()} == {
        "RS256": "RSA",
        "ES256": "EC",
        "EdDSA": "OKP",
    }
    for algorithm, jwk in published.items():
        assert keyring.signing_key(algorithm, NOW).key_id == jwk["kid"]


async def test_a_key_is_published_as_soon_as_it_signs(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring = await Keyring.open(store, master_key, ["ES256"], clock)

    schedule = keyring.signing_key("ES256", NOW).schedule
    assert schedule == SigningSchedule(publish_at=NOW, sign_from=NOW)


async def test_a_key_signs_what_verifies_with_its_published_half(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring = await Keyring.open(store, master_key, ["EdDSA"], clock)
    key = keyring.signing_key("EdDSA", NOW)

    public_key = key.private_key.public_key()
    assert key.signer.verify(b"message", public_key, key.sign(b"message"))


async def test_the_next_start_has_the_same_keys(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    first = await Keyring.open(store, master_key, ["ES256", "EdDSA"], clock)
    clock.advance(86_400)
    second = await Keyring.open(store, master_key, ["ES256", "EdDSA"], clock)

    assert ids(first) == ids(second)
    assert len(ids(first)) == 2


async def test_an_algorithm_added_later_gets_a_key_and_the_others_stay(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    before = await Keyring.open(store, master_key, ["ES256"], clock)
    after = await Keyring.open(store, master_key, ["ES256", "EdDSA"], clock)

    assert ids(before) < ids(after)
    assert after.current().algorithms(NOW) == ["ES256", "EdDSA"]


async def test_keyrings_opened_at_the_same_moment_end_with_the_same_keys(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyrings = await asyncio.gather(
        *(Keyring.open(store, master_key, ["ES256", "EdDSA"], clock) for _ in range(5))
    )

    assert len({frozenset(ids(keyring)) for keyring in keyrings}) == 1


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
    keys = [process.communicate("go\n")[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert len(keys[0].split()) == 2
    assert keys[0] == keys[1]


async def test_a_wrong_master_key_stops_the_start_and_makes_no_key(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    await Keyring.open(store, master_key, ["ES256"], clock)
    rows = await store.signing_key_rows()

    with pytest.raises(ConfigurationError, match="not the master key of this store"):
        await Keyring.open(store, MasterKey(bytes(32)), ["ES256", "EdDSA"], clock)
    assert await store.signing_key_rows() == rows


async def test_no_key_for_an_algorithm_is_unavailable(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring = await Keyring.open(store, master_key, ["ES256"], clock)

    with pytest.raises(Unavailable) as refused:
        keyring.signing_key("RS256", NOW)
    assert refused.value.reason is Reason.STORE_UNAVAILABLE


async def test_a_closed_store_gives_no_keys(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    await store.close()

    with pytest.raises(Unavailable):
        await Keyring.open(store, master_key, ["ES256"], clock)


async def add_second_generation(store: SqliteStore, master_key: MasterKey) -> SigningKey:
    schedule = SigningSchedule(publish_at=NOW, sign_from=NOW + 60)
    key = SigningKey.of(generate("ES256"), "ES256", schedule)
    assert await store.add_signing_key_row(KeyWrap(master_key).wrap(key, 2))
    return key


async def test_a_reload_brings_what_another_replica_added(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring = await Keyring.open(store, master_key, ["ES256"], clock)
    [first] = keyring.current().keys
    added = await add_second_generation(store, master_key)
    await keyring.reload()

    assert ids(keyring) == {first.key_id, added.key_id}
    assert keyring.signing_key("ES256", NOW + 59) is first
    assert keyring.signing_key("ES256", NOW + 60).key_id == added.key_id


async def test_a_reload_that_fails_leaves_the_keys_in_force(
    store: SqliteStore, master_key: MasterKey, clock: FrozenClock
) -> None:
    keyring = await Keyring.open(store, master_key, ["ES256"], clock)
    held = keyring.current()
    await add_second_generation(store, MasterKey(bytes(32)))

    with pytest.raises(ConfigurationError):
        await keyring.reload()
    assert keyring.current() is held


def test_keys_are_made_for_known_algorithms_alone() -> None:
    with pytest.raises(ValueError, match="HS256"):
        generate("HS256")
