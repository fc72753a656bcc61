"""What the SQLite store does when the disk, the file or its own surroundings fail it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from broker.core.audit import ChainedEvent
from broker.core.errors import Unavailable
from broker.ports import Committed
from broker.stores.sqlite import SqliteStore
from broker.stores.sqlite_file import transaction
from broker.stores.sqlite_writer import MAX_QUEUE
from broker.system import UuidV7Identifiers
from broker.testing import FrozenClock
from tests.stores.damage import delete, overwrite_all_but_the_schema, replace_by_a_copy
from tests.stores.entries import NOW, a_spend, an_entry, an_event, assert_chained

OpenSqlite = Callable[[], Awaitable[SqliteStore]]


def allow_pages(pages: int) -> Callable[[apsw.Connection], None]:
    """Give a job that makes the disk as large as this many pages of the file."""

    def job(connection: apsw.Connection) -> None:
        connection.pragma("max_page_count", pages)

    return job


@contextmanager
def another_writer(database: Path) -> Iterator[None]:
    """Keep the file locked, as another process in the middle of a transaction does."""
    connection = apsw.Connection(str(database))
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


async def test_a_full_disk_refuses_whole_batches_and_heals(open_sqlite: OpenSqlite) -> None:
    store = await open_sqlite()
    await store.commit(an_entry())
    await store._writer.run(allow_pages(1))
    large = [a_spend(f"{n}", target="x" * 4000) for n in range(20)]
    outcomes = await asyncio.gather(
        *(store.commit(entry) for entry in large), return_exceptions=True
    )

    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert len(await store.events()) == 1

    await store._writer.run(allow_pages(1_000_000))
    again = [a_spend(f"{n}", target="x" * 4000) for n in range(20)]
    receipts = await asyncio.gather(*(store.commit(entry) for entry in again))
    # None is AlreadySpent: the failed batch left nothing behind.
    assert [Committed(place) for place in range(2, 22)] == receipts
    assert_chained(await store.events())


async def test_the_caller_is_told_nothing_about_the_fault_and_the_log_all(
    open_sqlite: OpenSqlite, caplog: pytest.LogCaptureFixture
) -> None:
    store = await open_sqlite()
    await store._writer.run(allow_pages(1))

    with pytest.raises(Unavailable) as refused:
        await store.commit(an_entry(target="x" * 40_000))
    assert refused.value.description == "the store cannot be written"
    assert "FullError" in caplog.text


async def test_each_refused_caller_gets_an_error_of_its_own(open_sqlite: OpenSqlite) -> None:
    store = await open_sqlite()
    await store._writer.run(allow_pages(1))
    large = [an_entry(target="x" * 40_000) for _ in range(5)]
    errors = await asyncio.gather(*(store.commit(entry) for entry in large), return_exceptions=True)

    assert len({id(error) for error in errors}) == 5


async def test_a_damaged_page_refuses_and_is_not_ready_after_it(
    open_sqlite: OpenSqlite, database: Path
) -> None:
    store = await open_sqlite()
    for _ in range(5):
        await asyncio.gather(*(store.commit(a_spend(f"{object()}")) for _ in range(50)))
    await store.close()
    overwrite_all_but_the_schema(database)

    store = await open_sqlite()
    with pytest.raises(Unavailable):
        await store.commit(a_spend("after"))
    with pytest.raises(Unavailable):
        await store.events()
    assert not await store.ready()


@pytest.mark.parametrize("fault", [delete, replace_by_a_copy])
async def test_a_file_that_was_deleted_or_replaced_is_written_no_more(
    fault: Callable[[Path], None], open_sqlite: OpenSqlite, database: Path
) -> None:
    store = await open_sqlite()
    await store.commit(an_entry())
    assert await store.ready()
    fault(database)

    with pytest.raises(Unavailable):
        await store.commit(an_entry())
    assert not await store.ready()


@pytest.mark.parametrize("fault", [delete, replace_by_a_copy])
async def test_a_file_that_was_deleted_or_replaced_is_asked_about_no_token(
    fault: Callable[[Path], None], open_sqlite: OpenSqlite, database: Path
) -> None:
    """What is read of such a file knows of no revocation since."""
    store = await open_sqlite()
    token_id = UuidV7Identifiers().new(NOW)
    await store.commit(an_entry(id=UuidV7Identifiers().new(NOW), token_id=token_id))
    assert await store.token_is_active(token_id, int(NOW) + 60)
    fault(database)

    for _ in range(2):
        with pytest.raises(Unavailable):
            await store.token_is_active(token_id, int(NOW) + 60)
        with pytest.raises(Unavailable):
            await store.event_of_token(token_id)


async def test_a_damage_is_met_by_whoever_asks_about_a_token(
    open_sqlite: OpenSqlite, database: Path
) -> None:
    store = await open_sqlite()
    await store.commit(an_entry())
    await store.close()
    overwrite_all_but_the_schema(database)

    store = await open_sqlite()
    with pytest.raises(Unavailable):
        await store.token_is_active("a" * 36, int(NOW) + 60)


async def test_being_ready_is_proved_at_most_once_a_second(
    open_sqlite: OpenSqlite, database: Path, clock: FrozenClock
) -> None:
    store = await open_sqlite()
    assert await store.ready()
    delete(database)

    assert await store.ready()
    clock.advance(1)
    assert not await store.ready()


async def test_what_comes_while_a_batch_is_written_waits_in_bounded_number(
    open_sqlite: OpenSqlite, database: Path
) -> None:
    store = await open_sqlite()
    with another_writer(database):
        waiting = [asyncio.create_task(store.commit(an_entry())) for _ in range(2 * MAX_QUEUE)]
        refused, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        # The first batch has left the queue at most; all others wait or were refused at once.
        await asyncio.sleep(0)
        assert 0 < sum(task.done() for task in waiting) <= MAX_QUEUE
        assert {type(task.exception()) for task in refused} == {Unavailable}
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    written = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
    assert len(written) >= MAX_QUEUE
    events = await store.events(limit=2 * MAX_QUEUE)
    assert len(events) == len(written)
    assert_chained(events)


async def test_an_id_that_exists_is_refused_without_harm_to_others(
    open_sqlite: OpenSqlite,
) -> None:
    store = await open_sqlite()
    await store.commit(an_entry(id="twice"))
    entries = [an_entry(), an_entry(id="twice"), an_entry()]
    outcomes = await asyncio.gather(
        *(store.commit(entry) for entry in entries), return_exceptions=True
    )

    assert [Committed, Unavailable, Committed] == [type(outcome) for outcome in outcomes]
    assert_chained(await store.events())


@pytest.mark.parametrize("fault", [KeyError("a fault"), StopIteration(), OverflowError()])
async def test_a_job_with_a_fault_of_its_own_fails_alone(
    open_sqlite: OpenSqlite, fault: Exception
) -> None:
    store = await open_sqlite()

    def faulty(connection: apsw.Connection) -> None:
        with transaction(connection):
            connection.execute("DELETE FROM events")
            raise fault

    await store.commit(an_entry())
    outcomes = await asyncio.gather(
        store._writer.run(faulty),
        store.commit(an_entry()),
        store._writer.run(lambda _: "done"),
        return_exceptions=True,
    )

    raised = RuntimeError if isinstance(fault, StopIteration) else type(fault)
    assert [type(outcome) for outcome in outcomes] == [raised, Committed, str]
    assert await store.commit(an_entry()) == Committed(3)
    assert_chained(await store.events())


async def test_an_entry_that_cannot_be_written_out_fails_alone(open_sqlite: OpenSqlite) -> None:
    store = await open_sqlite()
    await store.commit(a_spend("spent"))
    unwritable = replace(a_spend("spent"), event_if_spent=lambda: an_event(claims={"x": object()}))
    entries = [an_entry(), unwritable, a_spend("another")]
    outcomes = await asyncio.gather(
        *(store.commit(entry) for entry in entries), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [Committed, TypeError, Committed]
    assert len(await store.events()) == 3
    assert_chained(await store.events())


async def test_a_text_with_a_nul_or_half_a_surrogate_is_kept(open_sqlite: OpenSqlite) -> None:
    store = await open_sqlite()
    await store.commit(an_entry(issuer="a\0b", service_account="\ud800"))

    [event] = await store.events()
    assert (event["issuer"], event["service_account"]) == ("a\0b", "\ud800")


# --- Passing events on ----------------------------------------------------------------------------


async def test_every_event_is_passed_on_in_order_and_after_it_is_durable(
    database: Path, clock: FrozenClock
) -> None:
    passed: list[ChainedEvent] = []
    durable: list[int] = []

    def sink(event: ChainedEvent) -> None:
        reader = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
        durable.append(
            reader.execute("SELECT count(*) FROM events WHERE seq = ?", (event.sequence,)).get
        )
        reader.close()
        passed.append(event)

    store = await SqliteStore.open(database, clock, on_committed=sink)
    await asyncio.gather(*(store.commit(a_spend("same")) for _ in range(20)))
    await store.close()

    assert [event.sequence for event in passed] == list(range(1, 21))
    assert durable == 20 * [1]
    store = await SqliteStore.open(database, clock)
    assert await store.events() == [event.members for event in passed]
    await store.close()


@pytest.mark.parametrize("error", [BrokenPipeError("no reader"), ValueError("closed file")])
async def test_a_sink_that_fails_fails_no_commit(
    error: Exception, database: Path, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    def sink(_event: ChainedEvent) -> None:
        raise error

    store = await SqliteStore.open(database, clock, on_committed=sink)
    receipts = [await store.commit(an_entry()) for _ in range(2)]
    await store.close()

    assert receipts == [Committed(1), Committed(2)]
    assert "event 2 is stored, but was not passed on" in caplog.text


async def test_a_slow_sink_does_not_hold_up_the_answer(database: Path, clock: FrozenClock) -> None:
    release = threading.Event()

    def sink(_event: ChainedEvent) -> None:
        release.wait()

    store = await SqliteStore.open(database, clock, on_committed=sink)

    assert await store.commit(an_entry()) == Committed(1)
    release.set()
    await store.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_writer_that_fails_unforeseen_refuses_and_leaves_nobody_waiting(
    database: Path, clock: FrozenClock
) -> None:
    class Unforeseen(Exception):
        pass

    def sink(_event: ChainedEvent) -> None:
        raise Unforeseen

    store = await SqliteStore.open(database, clock, on_committed=sink)
    outcomes = await asyncio.gather(
        *(store.commit(an_entry()) for _ in range(2000)), return_exceptions=True
    )

    assert {type(outcome) for outcome in outcomes} == {Committed, Unavailable}
    with pytest.raises(Unavailable):
        await store.commit(an_entry())
    assert not await store.ready()
    await store.close()
