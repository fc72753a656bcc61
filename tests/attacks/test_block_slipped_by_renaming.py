"""Beside row 142: whoever writes policies slips out of a block, by a new name for what it names."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.core.audit import AuditEvent
from broker.core.blocks import Block
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Mode
from broker.registry.policies_with_blocks import PoliciesWithBlocks
from broker.reload.held import HeldPolicies
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.core.builders import NOW, a_policy, a_policy_set, an_issuer


def files(*policies: str, issuer: str = "github", mode: Mode = Mode.ENFORCE) -> IndexedPolicies:
    return IndexedPolicies.of(
        a_policy_set(
            *(a_policy(each, issuer=issuer, mode=mode) for each in policies),
            issuers=[an_issuer(issuer)],
        )
    )


class Stopped:
    """What is stopped in a real store, and the files that change beside it."""

    def __init__(self, store: SqliteStore, clock: FrozenClock) -> None:
        self.store, self.clock = store, clock
        self.files = HeldPolicies(files("web"))
        self.deciding = PoliciesWithBlocks(self.files, store, clock)

    async def block(self, **where: str) -> None:
        block = Block("b-1", where, "INC-7", NOW, "admin", NOW + 60)
        assert await self.store.set_block(block, an_event("block.created"), at_most=10)
        await self.deciding.refresh()

    async def reload(self, changed: IndexedPolicies) -> None:
        self.files.replace(changed)
        await self.deciding.refresh()


def an_event(kind: str) -> AuditEvent:
    return AuditEvent(id=f"e-{kind}", time=NOW, type=kind, outcome="success")


@pytest.fixture
async def stopped(tmp_path: Path) -> AsyncIterator[Stopped]:
    clock = FrozenClock(NOW)
    store = await SqliteStore.open(tmp_path / "broker.db", clock)
    yield Stopped(store, clock)
    await store.close()


@pytest.mark.parametrize(
    ("where", "changed"),
    [
        ({"policy": "web"}, files("web-2")),
        ({"policy": "web"}, files("web", mode=Mode.OBSERVE)),
        ({"issuer": "github"}, files("web", issuer="gitlab")),
        ({"repository_id": "456789"}, files("web", issuer="gitlab")),
    ],
)
async def test_a_block_that_holds_nothing_any_more_is_told_once(
    stopped: Stopped,
    caplog: pytest.LogCaptureFixture,
    where: dict[str, str],
    changed: IndexedPolicies,
) -> None:
    await stopped.block(**where)
    assert caplog.records == []

    for _ in range(2):
        await stopped.reload(changed)

    [line] = caplog.records
    assert vars(line)["target"] == "b-1"
    assert next(iter(where)) in line.getMessage()
    await stopped.reload(files("web"))
    await stopped.reload(changed)
    assert len(caplog.records) == 2


async def test_of_a_block_that_is_over_nothing_is_said(
    stopped: Stopped, caplog: pytest.LogCaptureFixture
) -> None:
    await stopped.block(policy="web")
    stopped.clock.advance(60)

    await stopped.reload(files("web-2"))

    assert caplog.records == []


async def test_an_issuer_that_was_switched_off_and_has_a_new_name_is_told(
    stopped: Stopped, caplog: pytest.LogCaptureFixture
) -> None:
    assert await stopped.store.switch_issuer("github", an_event("issuer.disabled"), enabled=False)
    await stopped.reload(files("web"))
    assert not stopped.deciding.current().policy_set.issuers["github"].enabled
    assert caplog.records == []

    await stopped.reload(files("web", issuer="gitlab"))

    [line] = caplog.records
    assert vars(line)["target"] == "github"
