"""Policies that are reloaded, over a real store and real processes, without a server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Policy, PolicySet
from broker.ports import GivenIds
from broker.reload.held import HeldPolicies
from broker.reload.kept_sets import KeptSets
from broker.reload.policy_reload import PolicyReload
from broker.reload.reading import PolicyReader
from broker.reload.seal import Seal
from broker.reload.sources import DeploymentParameters
from broker.reload.swap import PolicySwap
from broker.stores.sqlite import SqliteStore
from broker.system import UuidV7Identifiers
from broker.testing import FrozenClock
from tests.reload.test_sources import PARAMETERS


@dataclass
class Reloading:
    """The parts of a broker that have to do with its policies."""

    store: SqliteStore
    reader: PolicyReader
    held: HeldPolicies
    kept: KeptSets
    reload: PolicyReload
    clock: FrozenClock
    swapped: list[IndexedPolicies] = field(default_factory=list)
    swap_came: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def in_force(self) -> PolicySet:
        return self.held.current().policy_set

    @property
    def policies(self) -> dict[str, Policy]:
        return dict(self.in_force.policies)

    async def start(self) -> None:
        """Start as a broker does."""
        await self.reload.start(await self.reader.read())

    async def events(self) -> list[dict[str, Any]]:
        return await self.store.events()


@asynccontextmanager
async def reloading(
    home: Path,
    parameters: DeploymentParameters = PARAMETERS,
    key: bytes = b"k" * 32,
    given: Callable[[SqliteStore], GivenIds] | None = None,
) -> AsyncIterator[Reloading]:
    """Open the store of a home folder, whose policies are below `policies`.

    `given` knows which ids no file may define. Reading has all the time in the world, because a
    test may put the time forward.
    """
    clock = FrozenClock()
    store = await SqliteStore.open(home / "broker.db", clock)
    reader = PolicyReader(home / "policies", parameters, clock, deadline=1e9)
    held, swapped, swap_came = HeldPolicies(), list[IndexedPolicies](), asyncio.Event()

    async def note(policies: IndexedPolicies) -> None:
        assert held.current() is policies
        swapped.append(policies)
        swap_came.set()

    kept = KeptSets(store, Seal(key), reader, clock)
    reload = PolicyReload(
        reader=reader,
        kept=kept,
        swap=PolicySwap(held, kept, store, note),
        ledger=store,
        clock=clock,
        identifiers=UuidV7Identifiers(),
        given=given(store) if given else None,
    )
    try:
        yield Reloading(store, reader, held, kept, reload, clock, swapped, swap_came)
    finally:
        await reload.close()
        await reader.close()
        await store.close()
