"""Heads over time: one when there are new events, before pruning, and at the stop."""

import asyncio
import logging
from pathlib import Path

import pytest

from broker.audit import heads as heads_module
from broker.audit.heads import AuditHeads
from broker.audit.retention import Retention
from broker.core.audit_head import HeadKey, HeadTyp, SignedHead
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.stores.damage import overwrite
from tests.stores.entries import an_entry

DAY = 86_400


class Printed(list[SignedHead]):
    """Takes the heads as stdout would."""

    def __call__(self, head: SignedHead) -> None:
        self.append(head)


@pytest.fixture
def printed() -> Printed:
    return Printed()


@pytest.fixture
def heads(store: SqliteStore, key: HeadKey, clock: FrozenClock, printed: Printed) -> AuditHeads:
    retention = Retention(store, key, clock, 90 * DAY)
    return AuditHeads(store, key, clock, retention, on_signed=printed)


async def test_a_head_names_the_last_event_and_verifies(
    heads: AuditHeads, store: SqliteStore, key: HeadKey, printed: Printed
) -> None:
    await store.commit(an_entry())
    await store.commit(an_entry())
    await heads.tick()

    [head] = printed
    read = key.verifier().read(head.jws, HeadTyp.HEAD)
    assert read.position == head.position == await store.chain_end()
    assert (head.sequence, head.time) == (2, "2027-01-15T08:00:00.000Z")


async def test_there_is_a_head_only_when_there_are_new_events(
    heads: AuditHeads, store: SqliteStore, printed: Printed
) -> None:
    await heads.tick()
    assert printed == []
    for _ in range(2):
        await store.commit(an_entry())
        await heads.tick()
        await heads.tick()
    await heads.at_stop()

    assert [head.sequence for head in printed] == [1, 2]


async def test_the_last_events_get_a_head_at_the_stop(
    heads: AuditHeads, store: SqliteStore, printed: Printed
) -> None:
    await heads.tick()
    await store.commit(an_entry())
    await heads.at_stop()

    assert [head.sequence for head in printed] == [1]


async def test_a_head_comes_before_what_is_pruned(
    heads: AuditHeads, store: SqliteStore, clock: FrozenClock, key: HeadKey
) -> None:
    chain: list[tuple[str, int]] = []

    def note(head: SignedHead) -> None:
        chain.append(("head", head.sequence))

    heads.on_signed = note
    for _ in range(3):
        await store.commit(an_entry(time=clock.now()))
    clock.advance(91 * DAY)
    await store.commit(an_entry(time=clock.now()))
    await heads.tick()

    assert chain == [("head", 4)]
    page = await store.chain_page(0, 10)
    assert [event.sequence for event in page.events] == [4]
    assert page.beginning is not None
    assert key.verifier().read(page.beginning, HeadTyp.BEGINNING).position.sequence == 3


async def test_without_anybody_to_tell_nothing_is_signed_but_old_events_go(
    store: SqliteStore, key: HeadKey, clock: FrozenClock
) -> None:
    quiet = AuditHeads(store, key, clock, Retention(store, key, clock, 90 * DAY))
    await store.commit(an_entry(time=clock.now()))
    clock.advance(91 * DAY)
    await store.commit(an_entry(time=clock.now()))
    await quiet.tick()
    await quiet.at_stop()

    assert len(await store.events()) == 1


async def test_a_head_that_nobody_took_comes_again(
    heads: AuditHeads, store: SqliteStore, printed: Printed, caplog: pytest.LogCaptureFixture
) -> None:
    def stuck(_head: SignedHead) -> None:
        raise BlockingIOError("nobody reads")

    heads.on_signed = stuck
    await store.commit(an_entry())
    await heads.tick()
    heads.on_signed = printed
    await heads.tick()

    assert [head.sequence for head in printed] == [1]
    assert "the head of event 1 was not passed on" in caplog.text


async def test_a_store_in_trouble_is_looked_at_again(
    heads: AuditHeads, store: SqliteStore, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await store.commit(an_entry())
    await store.close()
    overwrite(database, 0)
    with caplog.at_level(logging.WARNING):
        await heads.tick()
        await heads.at_stop()

    assert "the audit is looked at again" in caplog.text
    assert "the last head was not signed" in caplog.text


async def test_the_task_signs_every_interval_until_it_is_cancelled(
    heads: AuditHeads, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed: asyncio.Queue[SignedHead] = asyncio.Queue()
    heads.on_signed = signed.put_nowait
    monkeypatch.setattr(heads_module, "INTERVAL", 0.001)
    task = asyncio.create_task(heads.run())
    seen = []
    for _ in range(3):
        await store.commit(an_entry())
        seen.append((await signed.get()).sequence)
    task.cancel()

    assert seen == [1, 2, 3]
    with pytest.raises(asyncio.CancelledError):
        await task
