"""An account is made while the file that defines its id is on its way into force (row 144)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.core.errors import ConfigurationError
from broker.ports import AccountRow, AccountRows, Rejected
from broker.stores.sqlite import SqliteStore
from tests.reload.policy_folders import BASE, MAIN, write
from tests.reload.reloading import reloading

NIGHTLY = "service_accounts: {nightly: {grants: {deploy-api: [deploy:read]}}}\n"


@dataclass
class Overtaken:
    """The ids that a store knows; right after they were asked for, somebody makes an account."""

    store: SqliteStore
    client_id: str = "nightly"
    asked: int = 0

    async def given_ids(self, client_ids: Sequence[str]) -> frozenset[str]:
        given = await self.store.given_ids(client_ids)
        if self.client_id in client_ids:
            self.asked += 1
            if self.asked == 1:
                await make(self.store, self.client_id)
        return given


async def make(store: SqliteStore, client_id: str) -> None:
    row = AccountRow(client_id, "account", None, deleted=False, content=b"sealed")
    new = frozenset({client_id})
    epoch = await store.state_epoch()
    assert await store.change_account_rows(AccountRows(epoch, (row,), new, (), (), ()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "policies", base_yaml=BASE, main_yaml=MAIN)


async def test_a_reload_that_is_overtaken_is_refused(folder: Path) -> None:
    async with reloading(folder.parent, given=Overtaken) as running:
        await running.start()
        before = running.held.current()
        write(folder, nightly_yaml=NIGHTLY)

        outcome = await running.reload.reload(forced=True, actor="SIGHUP")

        assert isinstance(outcome, Rejected)
        assert "`nightly`" in outcome.problems[0].message
        assert running.held.current() is before
        assert await running.kept.last_version() == before.policy_set.version
        assert [each["type"] for each in await running.events()] == ["policy.rejected"]


async def test_so_is_one_that_is_overtaken_by_another_account_not(folder: Path) -> None:
    def by_another(store: SqliteStore) -> Overtaken:
        return Overtaken(store, "another")

    async with reloading(folder.parent, given=by_another) as running:
        await running.start()
        write(folder, nightly_yaml=NIGHTLY)
        await running.reload.reload(forced=True, actor="SIGHUP")

        assert "nightly" in running.in_force.service_accounts


async def test_a_first_start_that_is_overtaken_ends(folder: Path) -> None:
    write(folder, nightly_yaml=NIGHTLY)
    async with reloading(folder.parent, given=Overtaken) as starting:
        with pytest.raises(ConfigurationError, match="nightly"):
            await starting.start()
        assert await starting.kept.last_version() is None


async def test_a_start_with_other_files_that_is_overtaken_runs_the_last_good_set(
    folder: Path,
) -> None:
    async with reloading(folder.parent) as before:
        await before.start()
        version = before.in_force.version
    write(folder, nightly_yaml=NIGHTLY)

    async with reloading(folder.parent, given=Overtaken) as starting:
        await starting.start()

        assert starting.in_force.version == version
        assert starting.reload.fault() is not None
