"""Accounts and secrets lie in the store under the master key, and nothing else counts."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from broker.core.managed_account import AccountOverride, ClientSecret, ManagedAccount
from broker.ports import AccountChange
from broker.signing.master_key import MasterKey
from broker.signing.pepper import load_pepper
from broker.signing.rewrap import Rewrap
from broker.signing.sealed_accounts import SealedAccounts
from broker.signing.sealed_rows import SealedBox
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.stores.entries import an_event

KEY = MasterKey(b"k" * 32)
CRON = ManagedAccount(
    "cron",
    "i-1",
    "Cron jobs",
    organization="acme",
    grants={"api": ("deploy:*",)},
    metadata={"team": "web", "level": 3},
    jwks={"keys": []},
    expires_at=1.9e9,
    allowed_networks=("10.0.0.0/8",),
    created_at=1.8e9,
    updated_at=1.8e9,
)
SECRET = ClientSecret("s-1", "cron", "i-1", b"d" * 32, 1.8e9, 1.9e9, "s-0")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "broker.db", FrozenClock())
    yield store
    await store.close()


@pytest.fixture
def accounts(store: SqliteStore) -> SealedAccounts:
    return SealedAccounts(store, SealedBox(KEY))


async def change(store: SqliteStore, sealed: SealedAccounts, /, **what: object) -> bool:
    planned = AccountChange(await store.state_epoch(), **what)  # type: ignore[arg-type]
    return await sealed.change_accounts(planned)


async def test_what_is_put_is_found(store: SqliteStore, accounts: SealedAccounts) -> None:
    override = AccountOverride("deploy-web", enabled=False, updated_at=1.8e9)
    event = an_event(type="account.created", actor="admin", target="cron")
    assert await change(
        store,
        accounts,
        accounts=(CRON,),
        new_ids=frozenset({"cron"}),
        overrides=(override,),
        secrets=(SECRET,),
        events=(event,),
    )

    assert await accounts.account("cron") == CRON
    assert await accounts.account_override("deploy-web") == override
    assert await accounts.account_override("cron") is None
    assert await accounts.account("deploy-web") is None
    assert await accounts.secret_of_digest(SECRET.digest) == SECRET
    assert await accounts.secrets_of("cron") == (SECRET,)
    assert await accounts.count_accounts("acme") == 1
    assert await accounts.count_accounts(None) == 0
    assert [each["type"] for each in await store.events()] == ["account.created"]


async def test_a_change_raises_the_epoch_and_an_overtaken_one_is_not_made(
    store: SqliteStore, accounts: SealedAccounts
) -> None:
    epoch = await store.state_epoch()
    assert await accounts.change_accounts(AccountChange(epoch, accounts=(CRON,)))
    assert await store.state_epoch() == epoch + 1

    later = replace(CRON, name="Another")
    assert not await accounts.change_accounts(
        AccountChange(epoch, accounts=(later,), events=(an_event(),))
    )
    assert await accounts.account("cron") == CRON
    assert await store.events() == []


async def test_an_id_is_never_given_again(store: SqliteStore, accounts: SealedAccounts) -> None:
    new = frozenset({"cron"})
    deleted = replace(CRON, deleted_at=1.85e9)
    assert await change(store, accounts, accounts=(CRON,), new_ids=new)
    assert await change(store, accounts, accounts=(deleted,))

    assert not await change(store, accounts, accounts=(CRON,), new_ids=new)
    assert await accounts.account("cron") == deleted
    assert (await accounts.accounts()).accounts == ()
    assert await accounts.count_accounts("acme") == 0


async def test_accounts_are_listed_page_by_page(
    store: SqliteStore, accounts: SealedAccounts
) -> None:
    many = [replace(CRON, client_id=f"a-{number:02}") for number in range(25)]
    others = [replace(each, client_id=f"b{each.client_id}", organization=None) for each in many]
    assert await change(store, accounts, accounts=(*many, *others))

    found: list[ManagedAccount] = []
    after: str | None = ""
    while after is not None:
        page = await accounts.accounts(organization="acme", after=after, limit=10)
        found += page.accounts
        after = page.next_after
    assert found == many
    everything = await accounts.accounts(limit=50)
    assert len(everything.accounts) == 50
    assert everything.next_after is None


async def test_some_are_found_at_once_and_as_they_are_at_each_call(
    store: SqliteStore, accounts: SealedAccounts
) -> None:
    many = tuple(replace(CRON, client_id=f"m-{number:03}") for number in range(120))
    await change(store, accounts, accounts=many)
    ids = [each.client_id for each in many]

    first = await accounts.accounts_of([*ids, "nobody"])
    deleted, renamed = replace(many[0], deleted_at=1.9e9), replace(many[1], name="Anew")
    await change(store, accounts, accounts=(deleted, renamed))
    second = await accounts.accounts_of(ids)

    assert sorted(first, key=lambda each: each.client_id) == [*many]
    assert {each.client_id: each for each in second} == {
        each.client_id: each for each in (*many[2:], deleted, renamed)
    }
    kept = {each.client_id: each for each in first}
    assert all(each is kept[each.client_id] for each in second if each in many)
    assert await accounts.accounts_of([]) == ()


async def test_one_that_is_tampered_with_between_two_calls_is_gone_and_comes_back(
    store: SqliteStore, accounts: SealedAccounts, tmp_path: Path
) -> None:
    await change(store, accounts, accounts=(CRON, replace(CRON, client_id="other")))
    both = await accounts.accounts_of(["cron", "other"])
    with apsw.Connection(str(tmp_path / "broker.db")) as database:
        database.execute("UPDATE accounts SET organization = 'umbrella' WHERE client_id = 'cron'")

    for _ in range(2):
        assert [each.client_id for each in await accounts.accounts_of(["cron", "other"])] == [
            "other"
        ]
    with apsw.Connection(str(tmp_path / "broker.db")) as database:
        database.execute("UPDATE accounts SET organization = 'acme' WHERE client_id = 'cron'")
    assert await accounts.accounts_of(["cron", "other"]) == both


async def test_a_revoked_secret_is_gone(store: SqliteStore, accounts: SealedAccounts) -> None:
    await change(store, accounts, secrets=(SECRET,))
    await change(store, accounts, removed_secrets=("s-1",))

    assert await accounts.secret_of_digest(SECRET.digest) is None


async def test_the_last_use_is_noted_without_a_change_of_state(
    store: SqliteStore, accounts: SealedAccounts
) -> None:
    epoch = await store.state_epoch()
    await accounts.note_uses({"cron": {"s-1": 60.0, "cron": 60.0}})
    await accounts.note_uses({"cron": {"s-1": 30.0, "cron": 120.0}})

    assert await accounts.last_uses("cron") == {"s-1": 60.0, "cron": 120.0}
    assert await store.state_epoch() == epoch


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts SET content = x'00' WHERE client_id = 'cron'",
        "UPDATE accounts SET organization = NULL WHERE client_id = 'cron'",
        "UPDATE accounts SET client_id = 'root' WHERE client_id = 'cron'",
        "UPDATE accounts SET kind = 'override' WHERE client_id = 'cron'",
        "UPDATE accounts SET deleted = 1 WHERE client_id = 'cron'",
        "UPDATE accounts SET content = (SELECT content FROM accounts WHERE client_id = 'other')",
    ],
)
async def test_an_account_that_was_tampered_with_is_none(
    store: SqliteStore,
    accounts: SealedAccounts,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    statement: str,
) -> None:
    other = replace(CRON, client_id="other", grants={"broker": ("broker:*",)})
    await change(store, accounts, accounts=(CRON, other))
    apsw.Connection(str(tmp_path / "broker.db")).execute(statement)

    with caplog.at_level(logging.ERROR):
        found = [
            await accounts.account("cron"),
            await accounts.account("root"),
            await accounts.account_override("cron"),
            *(each for each in (await accounts.accounts()).accounts if each != other),
        ]
    assert not any(found)
    assert len(caplog.messages) == 1
    assert "counts as absent" in caplog.messages[0]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE client_secrets SET digest = zeroblob(32) WHERE secret_id = 's-1'",
        "UPDATE client_secrets SET client_id = 'root' WHERE secret_id = 's-1'",
        "UPDATE client_secrets SET secret_id = 's-2' WHERE secret_id = 's-1'",
        "UPDATE client_secrets SET content = x'00'",
    ],
)
async def test_a_secret_that_was_tampered_with_is_none(
    store: SqliteStore, accounts: SealedAccounts, tmp_path: Path, statement: str
) -> None:
    await change(store, accounts, secrets=(SECRET,))
    apsw.Connection(str(tmp_path / "broker.db")).execute(statement)

    assert await accounts.secret_of_digest(SECRET.digest) is None
    assert await accounts.secret_of_digest(bytes(32)) is None
    assert await accounts.secrets_of("cron") == ()
    assert await accounts.secrets_of("root") == ()


async def test_rows_and_pepper_go_along_under_another_master_key(
    store: SqliteStore, accounts: SealedAccounts
) -> None:
    pepper = await load_pepper(store, SealedBox(KEY))
    await change(store, accounts, accounts=(CRON,), secrets=(SECRET,))
    new = MasterKey(b"n" * 32)
    await Rewrap(KEY, new, lambda _version, content: content).in_store(store, an_event())

    anew = SealedAccounts(store, SealedBox(new))
    assert await anew.account("cron") == CRON
    assert await anew.secrets_of("cron") == (SECRET,)
    assert await load_pepper(store, SealedBox(new)) == pepper
    assert await accounts.account("cron") is None


async def test_the_pepper_is_made_once(store: SqliteStore) -> None:
    first = await load_pepper(store, SealedBox(KEY))

    assert len(first) == 32
    assert await load_pepper(store, SealedBox(KEY)) == first
