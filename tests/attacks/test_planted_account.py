"""Row 183: who can write to the store plants accounts, secrets and keys, or moves and changes them.

None of it grants anything, the broker says so, and what was not touched goes on.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from broker.core import account_text, client_secret
from broker.core.managed_account import FILE_INCARNATION, ClientSecret, ManagedAccount
from broker.ports import AccountRow, SecretRow
from broker.signing.master_key import MasterKey
from broker.signing.sealed_accounts import seal_account, seal_secret
from broker.signing.sealed_rows import SealedBox
from tests.attacks.refusals import LOG
from tests.client_keys import KeyPair, asserting
from tests.client_secrets import an_account, ask, give
from tests.registry_api import OPERATORS, calling
from tests.running_broker import NOW, RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

ATTACKERS = SealedBox(MasterKey(bytes(32)))
SECRET = client_secret.generate("live", os.urandom)
REFUSED = "client_unknown_or_bad_secret"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with RunningBroker(tmp_path_factory.mktemp("broker")).serving() as running:
        yield running


@pytest.fixture
def weak(broker: RunningBroker) -> tuple[ManagedAccount, str]:
    account = an_account(grants={"artifacts": ("artifacts:read",)})
    return account, give(broker, account, secret_id=f"s-{account.client_id}")


@pytest.fixture
def strong(broker: RunningBroker) -> tuple[ManagedAccount, str]:
    account = an_account()
    return account, give(broker, account, secret_id=f"s-{account.client_id}")


def write(broker: RunningBroker, statement: str, *bindings: object) -> None:
    """Write to the store behind the broker's back, so that it notices."""
    with closing(broker.database()) as database, database:
        database.execute(statement, bindings)
        database.execute("UPDATE state SET epoch = epoch + 1")


def plant_account(broker: RunningBroker, row: AccountRow) -> None:
    columns = (row.client_id, row.kind, row.organization, row.deleted, row.content)
    write(broker, "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?, ?)", *columns)


def plant_secret(broker: RunningBroker, row: SecretRow) -> None:
    columns = (row.secret_id, row.client_id, row.digest, row.content)
    write(broker, "INSERT OR REPLACE INTO client_secrets VALUES (?, ?, ?, ?)", *columns)


def reason(broker: RunningBroker, client_id: str, secret: str) -> object:
    answer = ask(broker, client_id, secret)
    assert answer.status_code == 400
    return answer.json()["reason"]


def kept(client_id: str, incarnation: str, digest: bytes) -> ClientSecret:
    return ClientSecret("planted", client_id, incarnation, digest, NOW)


def test_a_planted_account_has_no_key(broker: RunningBroker) -> None:
    pair = KeyPair.made()
    planted = an_account(jwks=pair.jwks())
    plant_account(broker, seal_account(ATTACKERS, planted))

    answer = asserting(broker, pair.assertion(broker, planted.client_id))

    assert (answer.status_code, answer.json()["reason"]) == (400, REFUSED)
    assert f"accounts/account/{planted.client_id}" in LOG.text()


@pytest.mark.parametrize("pepper", [b"", bytes(32)])
def test_a_planted_secret_is_none(
    broker: RunningBroker, strong: tuple[ManagedAccount, str], pepper: bytes
) -> None:
    account, secret = strong
    digest = client_secret.digest(SECRET, pepper)
    plant_secret(
        broker, seal_secret(ATTACKERS, kept(account.client_id, account.incarnation, digest))
    )

    assert reason(broker, account.client_id, SECRET) == REFUSED
    verified(broker, ask(broker, account.client_id, secret))


def test_a_secret_of_a_file_account_is_not_planted_either(broker: RunningBroker) -> None:
    digest = client_secret.digest(SECRET, bytes(32))
    plant_secret(broker, seal_secret(ATTACKERS, kept("deploy-web", FILE_INCARNATION, digest)))

    assert reason(broker, "deploy-web", SECRET) == REFUSED


def test_a_secret_is_not_moved_to_a_stronger_account(
    broker: RunningBroker, weak: tuple[ManagedAccount, str], strong: tuple[ManagedAccount, str]
) -> None:
    (small, mine), (large, _) = weak, strong
    statement = "UPDATE client_secrets SET client_id = ? WHERE secret_id = ?"
    write(broker, statement, large.client_id, f"s-{small.client_id}")

    for client_id in (small.client_id, large.client_id):
        assert reason(broker, client_id, mine) == REFUSED
    assert LOG.text().count(f"client_secrets/s-{small.client_id}") >= 1


def test_a_digest_is_not_exchanged(
    broker: RunningBroker, weak: tuple[ManagedAccount, str], strong: tuple[ManagedAccount, str]
) -> None:
    (small, mine), (large, _) = weak, strong
    database = broker.database()
    [(digest,)] = database.execute(
        "SELECT digest FROM client_secrets WHERE secret_id = ?", (f"s-{small.client_id}",)
    ).fetchall()
    database.close()
    write(broker, "DELETE FROM client_secrets WHERE secret_id = ?", f"s-{small.client_id}")
    statement = "UPDATE client_secrets SET digest = ? WHERE secret_id = ?"
    write(broker, statement, digest, f"s-{large.client_id}")

    assert reason(broker, large.client_id, mine) == REFUSED


def test_the_grants_of_another_account_are_not_taken_over(
    broker: RunningBroker, weak: tuple[ManagedAccount, str], strong: tuple[ManagedAccount, str]
) -> None:
    (small, mine), (large, theirs) = weak, strong
    content = "(SELECT content FROM accounts WHERE client_id = ?)"
    write(
        broker,
        f"UPDATE accounts SET content = {content} WHERE client_id = ?",  # noqa: S608 - none foreign
        large.client_id,
        small.client_id,
    )

    assert reason(broker, small.client_id, mine) == REFUSED
    verified(broker, ask(broker, large.client_id, theirs))


def test_an_account_in_clear_counts_as_absent(
    broker: RunningBroker, weak: tuple[ManagedAccount, str]
) -> None:
    account, mine = weak
    row = seal_account(ATTACKERS, account)
    write(
        broker,
        "UPDATE accounts SET content = ? WHERE client_id = ?",
        account_text.written(account),
        row.client_id,
    )

    assert reason(broker, account.client_id, mine) == REFUSED


def test_the_alarm_is_given_once(
    broker: RunningBroker, weak: tuple[ManagedAccount, str], tmp_path: Path
) -> None:
    account, mine = weak
    write(broker, "UPDATE accounts SET content = x'00' WHERE client_id = ?", account.client_id)
    for _ in range(3):
        assert reason(broker, account.client_id, mine) == REFUSED
        write(broker, "UPDATE state SET epoch = epoch")

    # One line and its record; the store is read by two that each tell it.
    lines = [each for each in LOG.text().splitlines() if account.client_id in each]
    assert 1 <= len([each for each in lines if "was altered" in each]) <= 2


def test_altered_rows_hide_no_others_in_the_list(tmp_path: Path) -> None:
    with special_broker(tmp_path, OPERATORS) as running:
        admin = calling(running, "admin")
        made = [admin.create()["id"] for _ in range(4)]
        whole = admin.ids()
        planted = [an_account(client_id=f"{each}0") for each in ("aa", *made[:2])]
        for each in planted:
            plant_account(running, seal_account(ATTACKERS, each))

        for size in (1, 2, 3, 100):
            seen, query = [], f"?limit={size}"
            while query:
                page = admin.shown(query)
                seen += [each["id"] for each in page["items"]]
                following = page.get("next_cursor")
                query = f"?limit={size}&cursor={following}" if following else ""
            assert seen == whole
