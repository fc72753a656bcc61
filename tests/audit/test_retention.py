"""Events that were kept long enough go, in small steps, and nobody's cut goes with them."""

import asyncio
from pathlib import Path

import apsw
import pytest

from broker.audit.retention import BATCH, FORGET_EVERY, KEPT_SETS, LEAST, PRUNE_EVERY, Retention
from broker.audit.verification import KeyNeeded, verify_log
from broker.core.audit_chain import Head, Position
from broker.core.audit_head import HeadKey, HeadTyp
from broker.stores.sqlite import SqliteStore
from broker.testing import FrozenClock
from tests.audit.conftest import NOW
from tests.stores.entries import an_entry

DAY = 86_400


@pytest.fixture
def retention(store: SqliteStore, key: HeadKey, clock: FrozenClock) -> Retention:
    return Retention(store, key, clock, 90 * DAY)


async def commit(store: SqliteStore, number: int, time: float, **members: object) -> None:
    await asyncio.gather(*(store.commit(an_entry(time=time, **members)) for _ in range(number)))


async def sequences(store: SqliteStore) -> list[int]:
    return [event.sequence for event in (await store.chain_page(0, 10_000)).events]


async def test_old_events_go_and_the_rest_verifies(
    store: SqliteStore, retention: Retention, clock: FrozenClock, key: HeadKey
) -> None:
    await commit(store, 5, NOW)
    clock.advance(90 * DAY + 1)
    await commit(store, 3, clock.now())

    assert await retention.apply() == 5
    assert await sequences(store) == [6, 7, 8]
    report = await verify_log(store, key.verifier())
    assert (report.ok, report.events, report.begins_after.sequence) == (True, 3, 5)


async def test_many_old_events_go_in_many_small_steps(
    store: SqliteStore, retention: Retention, clock: FrozenClock, key: HeadKey
) -> None:
    await commit(store, 2 * BATCH + 10, NOW)
    clock.advance(91 * DAY)
    await commit(store, 1, clock.now())
    steps = []
    original = store.prune_events

    async def counted(last: Position, beginning: str) -> int:
        steps.append(await original(last, beginning))
        return steps[-1]

    store.prune_events = counted  # type: ignore[method-assign]
    await retention.apply()

    assert steps == [BATCH, BATCH, 10]
    assert (await verify_log(store, key.verifier())).ok


@pytest.mark.parametrize("number", [1, BATCH, BATCH + 1])
async def test_the_last_event_stays_however_old_it_is(
    store: SqliteStore, retention: Retention, clock: FrozenClock, key: HeadKey, number: int
) -> None:
    await commit(store, number, NOW)
    clock.advance(1000 * DAY)
    await retention.apply()

    assert await sequences(store) == [number]
    await commit(store, 1, clock.now())
    assert (await verify_log(store, key.verifier())).ok


async def test_an_event_stays_behind_one_that_is_still_kept(
    store: SqliteStore, retention: Retention, clock: FrozenClock
) -> None:
    await commit(store, 1, NOW)
    await commit(store, 1, NOW + 50 * DAY)
    # The clock was set back.
    await commit(store, 2, NOW)
    clock.advance(91 * DAY)
    await retention.apply()

    assert await sequences(store) == [2, 3, 4]


async def test_nothing_goes_before_its_time(
    store: SqliteStore, retention: Retention, clock: FrozenClock, key: HeadKey
) -> None:
    assert await retention.apply() == 0
    await commit(store, 3, NOW)
    clock.advance(90 * DAY)

    assert await retention.apply() == 0
    assert (await verify_log(store, None)).ok


async def test_events_are_kept_two_days_however_short_the_setting(
    store: SqliteStore, key: HeadKey, clock: FrozenClock
) -> None:
    short = Retention(store, key, clock, 1)
    await commit(store, 3, NOW)
    clock.advance(LEAST)

    assert await short.apply() == 0
    clock.advance(1)
    assert await short.apply() == 2


async def test_it_is_due_now_and_then_also_when_the_clock_is_set_back(
    retention: Retention, clock: FrozenClock
) -> None:
    assert retention.due()
    await retention.apply()
    assert not retention.due()
    clock.advance(PRUNE_EVERY)
    assert retention.due()
    await retention.apply()
    clock.advance(-10 * DAY)
    assert retention.due()


async def test_sets_that_only_pruned_events_named_go_but_the_last_ones(
    store: SqliteStore, retention: Retention, clock: FrozenClock
) -> None:
    versions = [str(number) for number in range(KEPT_SETS + 3)]
    for version in versions:
        await store.keep_policy_set(version, b"", NOW)
        await commit(store, 1, NOW, policy_set=version)
    clock.advance(91 * DAY)
    await commit(store, 1, clock.now(), policy_set=versions[1])
    await retention.apply()

    kept = [each for each in versions if await store.policy_set(each) is not None]
    assert kept == [versions[1], *versions[-KEPT_SETS:]]


async def test_sets_are_looked_through_once_a_day(
    store: SqliteStore, retention: Retention, clock: FrozenClock
) -> None:
    await retention.apply()
    for number in range(KEPT_SETS + 1):
        await store.keep_policy_set(str(number), b"", NOW)
    await retention.apply()
    assert await store.policy_set("0") is not None
    clock.advance(FORGET_EVERY)
    await retention.apply()

    assert await store.policy_set("0") is None


async def old_chain(store: SqliteStore, clock: FrozenClock) -> None:
    await commit(store, 6, NOW)
    clock.advance(91 * DAY)
    await commit(store, 2, clock.now())


def tamper(database: Path, statement: str, *values: str) -> None:
    connection = apsw.Connection(str(database))
    connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM events WHERE seq <= 2",
        "DELETE FROM events WHERE seq = 3",
        "UPDATE events SET body = replace(body, 'success', 'refused') WHERE seq = 2",
        "UPDATE events SET body = '{}' WHERE seq = 2",
        "UPDATE events SET claims = '{}' WHERE seq = 2",
        "INSERT INTO audit_beginning VALUES (1, 'forged')",
    ],
)
async def test_pruning_covers_up_nobody_s_traces(
    store: SqliteStore,
    retention: Retention,
    clock: FrozenClock,
    database: Path,
    key: HeadKey,
    statement: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await old_chain(store, clock)
    tamper(database, statement)
    before = await sequences(store)

    assert await retention.apply() == 0
    assert await sequences(store) == before
    assert "old events are not pruned" in caplog.text
    assert not (await verify_log(store, key.verifier())).ok


async def test_a_head_cannot_stand_in_for_the_beginning(
    store: SqliteStore, clock: FrozenClock, database: Path, key: HeadKey
) -> None:
    await old_chain(store, clock)
    third = (await store.chain_page(0, 3)).events[-1]
    printed = key.head(Position(3, third.hash), NOW)
    tamper(database, "INSERT INTO audit_beginning VALUES (1, ?)", printed.jws)
    tamper(database, "DELETE FROM events WHERE seq <= 3")

    report = await verify_log(store, key.verifier())
    assert (report.ok, report.first_broken) == (False, 4)
    assert report.fault is not None
    assert "the beginning of a pruned chain is not believed" in report.fault


async def test_an_older_beginning_does_not_cover_a_later_cut(
    store: SqliteStore, retention: Retention, clock: FrozenClock, database: Path, key: HeadKey
) -> None:
    await old_chain(store, clock)
    await retention.apply()
    tamper(database, "DELETE FROM events WHERE seq = 7")

    report = await verify_log(store, key.verifier())
    assert (report.ok, report.first_broken) == (False, 7)


async def test_a_beginning_without_events_is_one_of_an_emptied_store(
    store: SqliteStore, retention: Retention, clock: FrozenClock, database: Path, key: HeadKey
) -> None:
    await old_chain(store, clock)
    head = Head(Position(8, "a" * 64), "")
    await retention.apply()
    tamper(database, "DELETE FROM events")

    assert not (await verify_log(store, key.verifier(), [head])).ok
    tamper(database, "UPDATE audit_beginning SET jws = 'forged'")
    assert (await verify_log(store, key.verifier())).first_broken == 1


async def test_a_pruned_chain_needs_the_key_to_be_verified(
    store: SqliteStore, retention: Retention, clock: FrozenClock, key: HeadKey
) -> None:
    await old_chain(store, clock)
    await retention.apply()

    with pytest.raises(KeyNeeded):
        await verify_log(store, None)
    beginning = (await store.chain_page(0, 1)).beginning
    assert beginning is not None
    assert key.verifier().read(beginning, HeadTyp.BEGINNING).position.sequence == 6


async def test_a_long_chain_is_verified_page_by_page(store: SqliteStore, key: HeadKey) -> None:
    await commit(store, 250, NOW)
    steps: list[int] = []

    report = await verify_log(store, key.verifier(), on_progress=steps.append, at_a_time=100)
    assert (report.ok, report.events, steps) == (True, 250, [100, 100, 50])
