"""A registry on a real store, and others who work on the same."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from broker.core.indexed_policies import IndexedPolicies
from broker.core.managed_account import ManagedAccount
from broker.core.registry.authority import OPERATOR
from broker.core.registry.members import RegistryRules
from broker.ports import AccountChange, Identify, RegistryCaller
from broker.registry.accounts import AccountRegistry
from broker.registry.drawing import Drawing
from broker.registry.store_state import StoreState
from broker.reload.held import HeldPolicies
from broker.signing.master_key import MasterKey
from broker.signing.sealed_accounts import SealedAccounts
from broker.signing.sealed_rows import SealedBox
from broker.stores.sqlite import SqliteStore
from broker.system import UuidV7Identifiers
from broker.testing import FrozenClock
from tests.core.registry.world import NOW, POLICIES

CALLER = RegistryCaller("admin", OPERATOR)


@dataclass
class Opened:
    """A registry on a real store, and others who work on the same."""

    store: SqliteStore
    accounts: SealedAccounts
    registry: AccountRegistry
    made: int = field(default=0)

    async def other_change(self) -> None:
        """Let somebody else change something."""
        self.made += 1
        row = ManagedAccount(
            f"other-{self.made}", "i", "x", organization="acme", created_at=NOW, updated_at=NOW
        )
        change = AccountChange(await self.store.state_epoch(), (row,), frozenset({row.client_id}))
        assert await self.accounts.change_accounts(change)

    def overtaken(self, times: int, then: RegistryCaller = CALLER) -> Identify:
        """Let others be faster so many times; then the caller is another one."""
        left = times

        async def identify() -> RegistryCaller:
            nonlocal left
            if not left:
                return then
            left -= 1
            await self.other_change()
            return CALLER

        return identify


async def nobody_else() -> RegistryCaller:
    """Let nobody be faster."""
    return CALLER


@asynccontextmanager
async def opened_registry(path: Path) -> AsyncIterator[Opened]:
    """Open the registry of a store."""
    clock = FrozenClock(NOW)
    store = await SqliteStore.open(path, clock)
    accounts = SealedAccounts(store, SealedBox(MasterKey.generate()))
    state = StoreState(store)
    await state.refresh()
    registry = AccountRegistry(
        accounts,
        state,
        HeldPolicies(IndexedPolicies.of(POLICIES)),
        clock,
        Drawing(UuidV7Identifiers(), "live", lambda text: text.encode()[-32:]),
        RegistryRules(max_accounts=5),
    )
    yield Opened(store, accounts, registry)
    await store.close()
