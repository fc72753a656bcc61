"""Signing keys as the store holds them."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from broker.core.signing_keys import SIGNING_ALGORITHMS, PrivateKey, SigningKey, SigningSchedule
from broker.signing.key_pairs import generate
from broker.signing.key_wrap import KeyWrap, WrappedKeyRefused
from broker.signing.master_key import MasterKey
from tests.signing.conftest import NOW

SCHEDULE = SigningSchedule(publish_at=NOW, sign_from=NOW + 0.5, sign_until=NOW + 60)


@pytest.fixture(scope="module", params=SIGNING_ALGORITHMS)
def key(request: pytest.FixtureRequest) -> SigningKey:
    return SigningKey.of(generate(request.param), request.param, SCHEDULE)


@pytest.fixture
def key_wrap(master_key: MasterKey) -> KeyWrap:
    return KeyWrap(master_key)


def pkcs8(private_key: PrivateKey) -> bytes:
    return private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def test_a_key_comes_back_as_it_was(key: SigningKey, key_wrap: KeyWrap) -> None:
    unwrapped = key_wrap.unwrap(key_wrap.wrap(key, 3))

    assert replace(unwrapped, private_key=key.private_key, signer=key.signer) == key
    assert pkcs8(unwrapped.private_key) == pkcs8(key.private_key)


def test_the_row_tells_which_key_it_is_and_nothing_of_the_private_part(
    key: SigningKey, key_wrap: KeyWrap
) -> None:
    row = key_wrap.wrap(key, 3)

    assert (row.key_id, row.algorithm, row.generation, row.schedule) == (
        key.key_id,
        key.algorithm,
        3,
        SCHEDULE,
    )
    assert pkcs8(key.private_key)[-16:] not in row.wrapped


def test_the_same_key_is_never_wrapped_the_same_way(key: SigningKey, key_wrap: KeyWrap) -> None:
    assert key_wrap.wrap(key, 1).wrapped != key_wrap.wrap(key, 1).wrapped


def test_another_master_key_does_not_unwrap(key: SigningKey, key_wrap: KeyWrap) -> None:
    with pytest.raises(WrappedKeyRefused, match="under another master key"):
        KeyWrap(MasterKey(bytes(32))).unwrap(key_wrap.wrap(key, 1))


@pytest.mark.parametrize(
    "change",
    [
        {"key_id": "another"},
        {"generation": 2},
        {"schedule": replace(SCHEDULE, publish_at=NOW - 1)},
        {"schedule": replace(SCHEDULE, sign_from=NOW)},
        {"schedule": replace(SCHEDULE, sign_until=None)},
        {"schedule": replace(SCHEDULE, remove_at=NOW + 120)},
        {"wrapped": b""},
        {"wrapped": bytes(12)},
        {"wrapped": bytes(64)},
    ],
    ids=str,
)
def test_a_row_that_was_altered_does_not_unwrap(
    change: dict[str, Any], key: SigningKey, key_wrap: KeyWrap
) -> None:
    with pytest.raises(WrappedKeyRefused, match="its row was altered"):
        key_wrap.unwrap(replace(key_wrap.wrap(key, 1), **change))


def test_a_key_does_not_unwrap_for_another_algorithm(key_wrap: KeyWrap) -> None:
    key = SigningKey.of(generate("ES256"), "ES256", SCHEDULE)

    with pytest.raises(WrappedKeyRefused, match="its row was altered"):
        key_wrap.unwrap(replace(key_wrap.wrap(key, 1), algorithm="EdDSA"))


def test_an_algorithm_of_a_later_version_is_named_as_such(key_wrap: KeyWrap) -> None:
    key = SigningKey.of(generate("ES256"), "ES256", SCHEDULE)

    with pytest.raises(WrappedKeyRefused, match="unknown to this broker"):
        key_wrap.unwrap(replace(key_wrap.wrap(key, 1), algorithm="ML-DSA-65"))


def test_a_key_of_a_kind_that_does_not_sign_is_refused(key_wrap: KeyWrap) -> None:
    key = SigningKey.of(generate("EdDSA"), "EdDSA", SCHEDULE)
    stranger: Any = x25519.X25519PrivateKey.generate()

    with pytest.raises(WrappedKeyRefused, match="of an unknown kind"):
        key_wrap.unwrap(key_wrap.wrap(replace(key, private_key=stranger), 1))


def test_whole_seconds_may_be_integers(key_wrap: KeyWrap) -> None:
    key = SigningKey.of(generate("ES256"), "ES256", SigningSchedule(5, 6))
    row = key_wrap.wrap(key, 1)

    assert key_wrap.unwrap(replace(row, schedule=SigningSchedule(5.0, 6.0))).key_id == key.key_id
