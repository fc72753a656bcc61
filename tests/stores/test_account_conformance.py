"""What every store promises of accounts and client secrets (contract §7); rows are sealed above."""

import asyncio
from dataclasses import replace
from typing import Any

from broker.ports import AccountRow, AccountRows, Entry, SecretRow, Stale
from tests.stores.conftest import OpenStore
from tests.stores.entries import NOW, ReadableStore, an_event


def account(client_id: str, **members: Any) -> AccountRow:
    defaults: dict[str, Any] = {
        "kind": "account",
        "organization": None,
        "deleted": False,
        "content": f"of {client_id}".encode(),
    }
    return AccountRow(client_id, **(defaults | members))


def secret(secret_id: str, client_id: str = "cron") -> SecretRow:
    return SecretRow(secret_id, client_id, secret_id.encode() * 8, b"\0\xff sealed")


async def change(store: ReadableStore, **members: Any) -> bool:
    """Change rows at the epoch of now, unless another one is given."""
    defaults: dict[str, Any] = {
        "epoch": await store.state_epoch(),
        "accounts": (),
        "new_ids": frozenset(),
        "secrets": (),
        "removed_secrets": (),
        "events": (),
    }
    return await store.change_account_rows(AccountRows(**(defaults | members)))


async def ids(store: ReadableStore, kind: str = "account", **members: Any) -> list[str]:
    asked: dict[str, Any] = {"organization": None, "after": "", "limit": 100} | members
    return [row.client_id for row in await store.account_rows(kind, **asked)]


async def test_rows_are_read_back_as_they_were_written(open_store: OpenStore) -> None:
    first, second = await open_store(), await open_store()
    rows = (account("cron", organization="acme", content=bytes(range(256))), account("gone"))
    assert await change(first, accounts=rows, secrets=(secret("s-1"),))

    assert await second.account_row("cron", "account") == rows[0]
    assert await second.secret_row(secret("s-1").digest) == secret("s-1")
    assert await second.secret_rows("cron") == [secret("s-1")]
    assert await second.account_row("nobody", "account") is None
    assert await second.account_row("cron", "override") is None
    assert await second.secret_row(b"x") is None
    assert await second.secret_rows("gone") == []


async def test_some_accounts_are_found_at_once(store: ReadableStore) -> None:
    rows = [account("cron", organization="acme"), account("gone", deleted=True), account("other")]
    await change(store, accounts=(*rows, account("web", kind="override")))

    found = await store.account_rows_of(["web", "gone", "cron", "cron", "nobody"])

    assert sorted(found, key=lambda row: row.client_id) == rows[:2]
    assert await store.account_rows_of([]) == []
    many = [f"m-{number}" for number in range(40_000)]
    assert await store.account_rows_of([*many, "cron"]) == rows[:1]


async def test_a_change_raises_the_epoch_once(store: ReadableStore) -> None:
    before = await store.state_epoch()
    await change(store, accounts=(account("a"), account("b")), secrets=(secret("s-1"),))

    assert await store.state_epoch() == before + 1
    assert await store.commit(Entry(an_event(), epoch=before)) == Stale()


async def test_an_overtaken_change_writes_nothing(store: ReadableStore) -> None:
    epoch = await store.state_epoch()
    assert await change(store, accounts=(account("a"),), epoch=epoch)
    made = await change(
        store,
        epoch=epoch,
        accounts=(account("b"),),
        secrets=(secret("s-1", "b"),),
        events=(an_event(id="never"),),
    )

    assert not made
    assert await ids(store) == ["a"]
    assert await store.secret_rows("b") == []
    assert await store.events() == []


async def test_of_racing_changes_one_is_made(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(3)]
    epoch = await stores[0].state_epoch()
    made = await asyncio.gather(
        *(
            change(each, epoch=epoch, accounts=(account(f"m-{number}"),))
            for number, each in enumerate(stores)
        )
    )

    assert sorted(made) == [False, False, True]
    assert len(await ids(stores[0])) == 1


async def test_events_are_written_with_the_change(store: ReadableStore) -> None:
    event = an_event(id="made", type="account.created", actor="admin", target="cron")
    await change(store, accounts=(account("cron"),), events=(event,))

    [found] = await store.events()
    assert (found["id"], found["target"]) == ("made", "cron")


async def test_an_id_is_given_once_also_when_its_account_is_deleted(store: ReadableStore) -> None:
    new = frozenset({"cron"})
    assert await change(store, accounts=(account("cron"),), new_ids=new)
    assert not await change(store, accounts=(account("cron", content=b"2"),), new_ids=new)
    await change(store, accounts=(account("cron", deleted=True),))
    assert not await change(store, accounts=(account("cron", content=b"3"),), new_ids=new)

    assert await store.given_ids(["cron", "web"]) == {"cron"}
    assert await ids(store) == []
    row = await store.account_row("cron", "account")
    assert row is not None
    assert row.deleted


async def test_a_policy_set_that_gives_the_id_of_an_account_is_not_kept(
    store: ReadableStore,
) -> None:
    gone = account("gone", deleted=True)
    await change(store, accounts=(account("cron"), gone, account("web", kind="override")))
    epoch = await store.state_epoch()
    for client_id in ("cron", "gone"):
        assert not await store.keep_policy_set("v", b"", NOW, new_ids=["other", client_id])

    assert await store.last_policy_set() is None
    assert await store.state_epoch() == epoch
    assert await store.keep_policy_set("v", b"", NOW, new_ids=["other", "web"])
    assert await store.state_epoch() == epoch + 1


async def test_what_is_said_of_a_file_s_account_takes_no_id(store: ReadableStore) -> None:
    override = account("web", kind="override")
    await change(store, accounts=(override,))

    assert await store.account_row("web", "override") == override
    assert await ids(store, "override") == ["web"]
    assert await ids(store) == []
    assert await store.given_ids(["web"]) == frozenset()
    assert await change(store, accounts=(account("web"),), new_ids=frozenset({"web"}))


async def test_lists_go_page_by_page_in_the_order_of_ids(store: ReadableStore) -> None:
    names = [f"m-{number:02}" for number in range(12)] + ["cron", "m-1"]
    await change(store, accounts=tuple(map(account, reversed(names))))
    first = await ids(store, limit=5)
    second = await ids(store, after=first[-1], limit=5)
    third = await ids(store, after=second[-1], limit=5)

    assert first + second + third == sorted(names)
    assert await ids(store, after=third[-1]) == []
    await change(store, accounts=(account(first[1], deleted=True),))
    assert first[1] not in await ids(store)


async def test_an_organization_has_its_own_accounts(store: ReadableStore) -> None:
    rows = [account(f"a-{each}", organization="acme") for each in range(3)]
    rows += [account("u-0", organization="umbrella"), account("free")]
    await change(store, accounts=(*rows, account("a-9", organization="acme", deleted=True)))

    assert await ids(store, organization="acme") == ["a-0", "a-1", "a-2"]
    assert await ids(store, organization="acme", after="a-0", limit=1) == ["a-1"]
    assert await ids(store, organization="nobody") == []
    counted = [await store.count_accounts(each) for each in ("acme", "umbrella", None, "nobody")]
    assert counted == [3, 1, 1, 0]
    assert sorted(await store.account_ids_within("acme")) == ["a-0", "a-1", "a-2", "a-9"]


async def test_secrets_are_replaced_and_removed(store: ReadableStore) -> None:
    await change(store, secrets=(secret("s-1"), secret("s-2"), secret("s-3", "web")))
    ending = replace(secret("s-1"), content=b"ending")
    await change(store, secrets=(ending,), removed_secrets=("s-2", "unknown"))

    assert await store.secret_rows("cron") == [ending]
    assert await store.secret_row(secret("s-2").digest) is None
    assert await store.having_secrets() == ["cron", "web"]


async def test_last_uses_raise_no_epoch_and_never_go_back(open_store: OpenStore) -> None:
    first, second = await open_store(), await open_store()
    epoch = await first.state_epoch()
    await first.note_uses({"cron": {"s-1": 20.0, "cron": 20.0}, "web": {"web": 5.0}})
    await second.note_uses({"cron": {"s-1": 10.0, "s-2": 30.0, "cron": 30.0}})
    await first.note_uses({})

    assert await first.last_uses("cron") == {"s-1": 20.0, "s-2": 30.0, "cron": 30.0}
    assert await second.last_used(["cron", "web", "nobody"]) == {"cron": 30.0, "web": 5.0}
    assert await second.last_uses("nobody") == {}
    assert await first.state_epoch() == epoch
