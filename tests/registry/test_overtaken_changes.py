"""A change that another one overtakes is planned anew, by what its caller may do then."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.core.errors import Unavailable
from broker.core.registry.authority import Authority
from broker.core.registry.refused import ChangeRefused, Code
from broker.ports import RegistryCaller
from tests.core.registry.world import POLICIES
from tests.registry.opened import CALLER, Opened, nobody_else, opened_registry


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opened]:
    async with opened_registry(tmp_path / "broker.db") as opened:
        yield opened


async def test_an_overtaken_change_is_made_nonetheless(opened: Opened) -> None:
    made = await opened.registry.create(
        opened.overtaken(2), {"name": "x", "client_id": "nightly"}, with_secret=True
    )

    assert made.secret is not None
    assert await opened.accounts.account("nightly") is not None
    assert len(await opened.accounts.secrets_of("nightly")) == 1


async def test_whoever_may_no_longer_when_it_is_planned_anew_changes_nothing(
    opened: Opened,
) -> None:
    identify = opened.overtaken(1, RegistryCaller("admin", Authority(frozenset())))

    with pytest.raises(ChangeRefused) as caught:
        await opened.registry.create(
            identify,
            {"name": "x", "client_id": "nightly", "grants": {"broker": ["broker:*"]}},
            with_secret=True,
        )

    assert caught.value.code == Code.INSUFFICIENT_PERMISSIONS
    assert await opened.accounts.account("nightly") is None
    assert await opened.accounts.secrets_of("nightly") == ()


async def test_a_change_that_is_overtaken_for_ever_is_given_up(opened: Opened) -> None:
    with pytest.raises(Unavailable, match="changes too fast"):
        await opened.registry.create(opened.overtaken(9), {"name": "x"}, with_secret=True)


async def test_the_id_that_another_took_meanwhile_is_a_conflict(opened: Opened) -> None:
    with pytest.raises(ChangeRefused) as caught:
        await opened.registry.create(
            opened.overtaken(1), {"name": "x", "client_id": "other-1"}, with_secret=False
        )
    assert caught.value.code == Code.CONFLICT


async def test_at_the_same_moment_one_gets_an_id_and_the_last_place(opened: Opened) -> None:
    async def create(client_id: str) -> str:
        try:
            members = {"name": "x", "client_id": client_id}
            made = await opened.registry.create(nobody_else, members, with_secret=True)
        except (ChangeRefused, Unavailable) as error:
            return getattr(error, "code", "UNAVAILABLE")
        return str(made.members["id"])

    same = await asyncio.gather(*(create("nightly") for _ in range(4)))
    assert same.count("nightly") == 1
    for number in range(8):
        await create(f"n{number}")
    await asyncio.gather(*(create(f"more-{number}") for number in range(4)))

    assert await opened.accounts.count_accounts(None) == 5


async def test_nothing_is_recorded_of_a_change_that_changes_nothing(opened: Opened) -> None:
    made = await opened.registry.create(nobody_else, {"name": "x"}, with_secret=False)
    epoch = await opened.store.state_epoch()

    await opened.registry.patch(nobody_else, made.members["id"], {"name": "x"})

    assert await opened.store.state_epoch() == epoch


async def test_lists_join_the_pages_of_the_store_and_the_files(opened: Opened) -> None:
    for client_id in ("aa", "bb", "zz"):
        members = {"name": "x", "client_id": client_id}
        await opened.registry.create(nobody_else, members, with_secret=False)
    whole = sorted({"aa", "bb", "zz", *POLICIES.service_accounts})

    for limit in range(1, len(whole) + 2):
        found: list[str] = []
        after: str | None = ""
        while after is not None:
            page = await opened.registry.listed(CALLER, organization=None, after=after, limit=limit)
            assert len(page.items) <= limit
            found += [each["id"] for each in page.items]
            after = page.next_after
        assert found == whole


async def test_of_many_changes_at_once_each_is_made(opened: Opened) -> None:
    await opened.registry.create(
        nobody_else, {"name": "x", "client_id": "nightly"}, with_secret=False
    )

    await asyncio.gather(
        *(
            opened.registry.patch(nobody_else, "nightly", {"metadata": {f"n{number}": number}})
            for number in range(30)
        )
    )

    shown = await opened.registry.shown(CALLER, "nightly")
    assert shown["metadata"] == {f"n{number}": number for number in range(30)}
