"""What decides beside the policies: read at a change of the store, and good until the next."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from broker.core.indexed_policies import IndexedPolicies
from broker.core.managed_account import AccountOverride, ManagedAccount
from broker.core.policy import ServiceAccount
from broker.ports import AccountChange
from broker.registry.deciding_accounts import PoliciesWithAccounts
from broker.reload.held import HeldPolicies
from broker.signing.master_key import MasterKey
from broker.signing.sealed_accounts import SealedAccounts
from broker.signing.sealed_rows import SealedBox
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.core.builders import NOW, a_policy, a_policy_set

GRANTED = {"deploy-api": ["deploy:read"]}
MADE = [
    ManagedAccount(f"m-{number:03}", "i", "x", grants={"deploy-api": ("deploy:read",)})
    for number in range(120)
]
FILES = IndexedPolicies.of(
    a_policy_set(
        a_policy(),
        *(a_policy(f"by-{each.client_id}", service_account=each.client_id, grants=GRANTED)
          for each in MADE),
    )
)  # fmt: skip


class Deciding:
    """What decides, over a real store."""

    def __init__(self, store: SqliteStore, clock: FrozenClock) -> None:
        self.store, self.clock = store, clock
        self.accounts = SealedAccounts(store, SealedBox(MasterKey.generate()))
        self.files = HeldPolicies(FILES)
        self.deciding = PoliciesWithAccounts(self.files, self.accounts, clock)

    async def change(
        self, *accounts: ManagedAccount, overrides: tuple[AccountOverride, ...] = ()
    ) -> None:
        change = AccountChange(await self.store.state_epoch(), accounts, overrides=overrides)
        assert await self.accounts.change_accounts(change)
        await self.deciding.refresh()

    def account(self, client_id: str) -> ServiceAccount | None:
        return self.deciding.current().policy_set.service_accounts.get(client_id)

    def enabled(self, client_id: str) -> bool | None:
        account = self.account(client_id)
        return None if account is None else account.enabled


@pytest.fixture
async def deciding(tmp_path: Path) -> AsyncIterator[Deciding]:
    clock = FrozenClock(NOW)
    store = await SqliteStore.open(tmp_path / "broker.db", clock)
    yield Deciding(store, clock)
    await store.close()


async def test_without_anything_in_the_store_the_files_decide_as_they_are(
    deciding: Deciding,
) -> None:
    await deciding.deciding.refresh()

    assert deciding.deciding.current() is FILES


async def test_all_accounts_that_policies_name_decide_and_no_other(deciding: Deciding) -> None:
    await deciding.change(*MADE, replace(MADE[0], client_id="unnamed"))

    assert all(deciding.enabled(each.client_id) for each in MADE)
    assert deciding.account("unnamed") is None


async def test_a_set_is_made_at_a_change_and_its_index_never(deciding: Deciding) -> None:
    await deciding.change(*MADE)
    first = deciding.deciding.current()
    assert deciding.deciding.current() is first
    await deciding.change(replace(MADE[0], enabled=False))
    second = deciding.deciding.current()

    assert first is not second
    assert first.named_claims is second.named_claims is FILES.named_claims
    assert first.policy_set.version == second.policy_set.version == FILES.policy_set.version
    assert (deciding.enabled("m-000"), deciding.enabled("m-001")) == (False, True)


async def test_each_end_takes_effect_when_it_comes(deciding: Deciding) -> None:
    ends = [replace(each, expires_at=NOW + 10 * place) for place, each in enumerate(MADE[:3], 1)]
    await deciding.change(*ends)
    alive = []
    for _ in range(4):
        alive.append(sum(bool(deciding.enabled(each.client_id)) for each in ends))
        deciding.clock.advance(10)

    assert alive == [3, 2, 1, 0]


async def test_another_set_has_the_accounts_that_are_known_until_the_store_is_read(
    deciding: Deciding,
) -> None:
    off = AccountOverride("deploy-web", enabled=False, updated_at=NOW)
    await deciding.change(*MADE, overrides=(off,))
    more = a_policy("late", service_account="late", grants=GRANTED)
    policies = [*FILES.policy_set.policies.values(), more]
    deciding.files.replace(IndexedPolicies.of(a_policy_set(*policies)))

    assert (deciding.enabled("m-000"), deciding.enabled("deploy-web")) == (True, False)
    assert deciding.account("late") is None
    await deciding.change(replace(MADE[0], client_id="late"))
    assert deciding.enabled("late")
