"""Who can write to the store plants, changes or moves signing keys (attacks rows 33 and 183).

No token is signed by such a row, it is not published, and the broker says so and goes on.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import jwt
import pytest

from broker.core.signing_keys import SigningKey, SigningSchedule
from broker.signing.key_pairs import generate
from broker.signing.key_wrap import KeyWrap
from broker.signing.master_key import MasterKey
from tests.running_broker import NOW, RunningBroker

ATTACKERS = SigningKey.of(generate("ES256"), "ES256", SigningSchedule(NOW, NOW))
PLANTED = KeyWrap(MasterKey(bytes(32))).wrap(ATTACKERS, 9)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    with RunningBroker(tmp_path).serving() as running:
        yield running


def write(broker: RunningBroker, *statements: tuple[str, tuple[object, ...]]) -> None:
    """Write to the store behind the broker's back, so that it notices."""
    with closing(broker.database()) as database, database:
        for statement, bindings in statements:
            database.execute(statement, bindings)
        database.execute("UPDATE state SET epoch = epoch + 1")


def published(broker: RunningBroker) -> set[str]:
    document = broker.request("GET", "/.well-known/jwks.json").json()
    return {jwk["kid"] for jwk in document["keys"]}


def signed_with(broker: RunningBroker) -> str:
    answer = broker.exchange(broker.github_token())
    assert answer.status_code == 200, answer.text
    return str(jwt.get_unverified_header(answer.json()["access_token"])["kid"])


def rows(broker: RunningBroker) -> list[tuple[str, int]]:
    with closing(broker.database()) as database:
        found = database.execute(
            "SELECT key_id, generation FROM signing_keys WHERE algorithm = 'ES256'"
            " ORDER BY generation"
        )
        return [(str(key_id), int(str(generation))) for key_id, generation in found]


def test_a_planted_key_neither_signs_nor_is_published(broker: RunningBroker) -> None:
    before, mine = published(broker), signed_with(broker)
    columns = "algorithm, generation, key_id, publish_at, sign_from, wrapped"
    planted = ("ES256", 9, PLANTED.key_id, NOW, NOW, PLANTED.wrapped)
    statement = f"INSERT INTO signing_keys ({columns}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - ours
    write(broker, (statement, planted))

    assert signed_with(broker) == mine
    assert published(broker) == before
    assert broker.request("GET", "/readyz").status_code == 200


def test_a_key_put_in_the_place_of_another_s_neither_signs_nor_is_published(
    broker: RunningBroker,
) -> None:
    [(first, _), (standby, _)] = rows(broker)
    write(
        broker,
        ("UPDATE signing_keys SET wrapped = ? WHERE key_id = ?", (PLANTED.wrapped, standby)),
    )

    assert signed_with(broker) == first
    assert published(broker).isdisjoint({standby, PLANTED.key_id})


@pytest.mark.parametrize(
    "change",
    ["sign_until = NULL", "remove_at = remove_at + 1", "sign_from = sign_from - 1"],
)
def test_a_key_that_is_let_sign_longer_signs_no_more(broker: RunningBroker, change: str) -> None:
    [(first, _), (standby, _)] = rows(broker)
    statement = f"UPDATE signing_keys SET {change} WHERE key_id = ?"  # noqa: S608 - ours
    write(broker, (statement, (first,)))

    # It is noticed here, and refused for as long as no other key has taken over.
    answer = broker.exchange(broker.github_token())
    for _ in range(200):
        if answer.status_code == 200:
            break
        answer = broker.exchange(broker.github_token())

    assert jwt.get_unverified_header(answer.json()["access_token"])["kid"] == standby
    assert first not in published(broker)


def test_keys_that_exchange_their_rows_are_both_absent(broker: RunningBroker) -> None:
    [(first, _), (standby, _)] = rows(broker)
    swap = "UPDATE signing_keys SET generation = ? WHERE key_id = ?"
    write(broker, (swap, (8, first)), (swap, (1, standby)), (swap, (2, first)))

    broker.exchange(broker.github_token())
    assert published(broker).isdisjoint({first, standby})
