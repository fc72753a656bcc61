"""A store that goes on in place of another: what was used elsewhere meanwhile is used up there."""

from collections.abc import Sequence

import apsw
import pytest

from broker.copying.transfer import Succession
from broker.core.errors import Reason, Unavailable
from broker.core.vocabulary import MAX_LEEWAY
from broker.ports import AlreadySpent, Committed, Entry, Stale
from broker.ports.contents import EPOCH_LEAP, REVOCATIONS, Part, Row
from broker.settings import SqliteStoreLocation
from broker.stores.opening import open_contents, open_store
from broker.stores.redis_draft import RedisDraft
from broker.testing import FrozenClock
from tests.copying.conftest import Opened, Place
from tests.copying.filled import answers, fill, presented_again
from tests.copying.moving import moved, restoring, verified
from tests.redis_server import RedisServer
from tests.stores.entries import NOW, an_event, assert_chained

KINDS = ("sqlite", "redis")


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_issued_before_a_restore_is_refused_and_what_comes_later_is_not(
    kind: str, opened: Opened, place: Place
) -> None:
    source, target = place("sqlite"), place(kind)
    await fill(await opened(source))
    await moved(source, target, succession=restoring(int(NOW)))
    store = await opened(target)

    before = await store.commit(presented_again("used after the backup", issued_at=int(NOW)))
    after = await store.commit(presented_again("new", issued_at=int(NOW) + 1))
    again = await store.commit(presented_again("new", issued_at=int(NOW) + 1))
    assert isinstance(before, AlreadySpent)
    assert isinstance(after, Committed)
    assert isinstance(again, AlreadySpent)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_restore_is_recorded_behind_the_last_event_and_raises_the_epoch(
    kind: str, opened: Opened, place: Place
) -> None:
    source, target = place("sqlite"), place(kind)
    before = await opened(source)
    await fill(before)
    whole = await moved(source, target, succession=restoring())
    store = await opened(target)

    events = await store.events(limit=1000)
    assert_chained(events)
    assert events[:-1] == await before.events(limit=1000)
    assert (events[-1]["type"], events[-1]["changes"]) == (
        "store.restored",
        {"events": len(events) - 1},
    )
    assert whole.chain.ends_at == await store.chain_end()
    epoch = await before.state_epoch()
    assert await store.state_epoch() == epoch + EPOCH_LEAP
    # A process that held the state of before decides anew.
    assert await store.commit(Entry(an_event(), epoch=epoch)) == Stale()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_store_that_is_replaced_is_over_whole(
    kind: str, opened: Opened, place: Place
) -> None:
    source, target = place("sqlite"), place(kind)
    await (await opened(source)).commit(presented_again("one"))
    other = await opened(target)
    await fill(other)
    epoch = await other.state_epoch()
    await other.close()
    await moved(source, target, succession=restoring(), replace=True)

    store = await opened(target)
    assert len(await store.events()) == 2
    assert await store.blocks() == []
    assert await store.account_rows_of(["cron"]) == []
    assert await store.state_epoch() > epoch


async def test_a_backup_that_is_served_as_it_is_refuses_what_was_issued_before(
    opened: Opened, place: Place
) -> None:
    source, target = place("redis"), place("sqlite")
    await fill(await opened(source))
    await moved(source, target, as_backup=True)
    reading = open_contents(target)
    epoch = (await reading.begin()).epoch
    await reading.close()

    store = await opened(target)
    assert isinstance(await store.commit(presented_again("new")), AlreadySpent)
    assert await store.state_epoch() == epoch + EPOCH_LEAP
    # An issuer whose clock is ahead has issued this one before, as far as a broker may bear it.
    ahead = presented_again("new", issued_at=int(NOW) + MAX_LEEWAY)
    assert isinstance(await store.commit(ahead), AlreadySpent)
    later = presented_again("new", issued_at=int(NOW) + MAX_LEEWAY + 1)
    assert isinstance(await store.commit(later), Committed)
    await store.close()
    # Once, not at every start.
    assert await (await opened(target)).state_epoch() == epoch + EPOCH_LEAP


async def test_a_command_on_a_backup_does_not_take_it_into_use(
    opened: Opened, place: Place, clock: FrozenClock
) -> None:
    """What is used between the command and the start of a broker is not known there either."""
    source, target = place("sqlite"), place("sqlite")
    await fill(await opened(source))
    await moved(source, target, as_backup=True)
    retiring = await open_store(target, clock, serving=False)
    await retiring.revoke_token("t", int(NOW) + 50, an_event(type="token.revoked"))
    await retiring.close()

    clock.advance(3600)
    used_meanwhile = presented_again("new", issued_at=int(NOW) + 3500)
    assert isinstance(await (await opened(target)).commit(used_meanwhile), AlreadySpent)


async def test_a_running_broker_of_a_replaced_store_in_redis_reads_all_anew(
    opened: Opened, place: Place, redis: RedisServer
) -> None:
    """One that counts nothing is not seen by the restore; it must not go on by what it held."""
    source, target = place("sqlite"), place("first redis")
    await fill(await opened(source))
    running = await opened(target)
    await running.commit(presented_again("one"))
    epoch = await running.state_epoch()
    await moved(source, target, succession=restoring(), replace=True)

    assert await running.commit(Entry(an_event(), epoch=epoch)) == Stale()
    assert isinstance(await running.commit(presented_again("two")), AlreadySpent)
    assert_chained(await running.events(limit=1000))
    await verified(target)


async def test_a_running_broker_writes_nothing_to_a_store_before_it_is_one(
    opened: Opened, place: Place
) -> None:
    """What it wrote there would be gone if the copy failed, and its token would be out."""
    source, target = place("sqlite"), place("redis")
    await fill(await opened(source))
    running = await opened(target)
    await running.commit(presented_again("one"))
    said: list[object] = []

    async def meanwhile() -> int:
        # All is there but that it is a store.
        for name in ("two", "two"):
            try:
                said.append(await running.commit(presented_again(name)))
            except Unavailable as error:
                said.append(error.reason)
        return int(NOW)

    succession = Succession(restoring().event, meanwhile)
    whole = await moved(source, target, succession=succession, replace=True)
    assert said == [Reason.STORE_UNAVAILABLE] * 2
    assert (await verified(target)).state.end == whole.state.end


async def test_a_revoked_token_is_not_active_while_its_revocation_is_still_to_be_written(
    opened: Opened, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = place("sqlite"), place("redis")
    store, end = await opened(source), int(NOW) + 50
    token_id = "01a20038-0900-7165-b3c8-674ce14f21aa"
    await store.commit(Entry(an_event(id=token_id.replace("aa", "bb"), token_id=token_id)))
    assert await store.token_is_active(token_id, end) is True
    await store.revoke_token(token_id, end, an_event(type="token.revoked", token_id=token_id))
    await moved(source, target)
    running = await opened(target)
    assert await running.token_is_active(token_id, end) is False
    said: list[object] = []

    class Asked(RedisDraft):
        async def put(self, part: Part, rows: Sequence[Row]) -> None:
            if part is REVOCATIONS:
                try:
                    said.append(await running.token_is_active(token_id, end))
                except Unavailable as error:
                    said.append(error.reason)
            await super().put(part, rows)

    monkeypatch.setattr("broker.stores.redis_draft.RedisDraft", Asked)
    await moved(source, target, succession=restoring(), replace=True)
    assert said == [Reason.STORE_UNAVAILABLE]
    assert await running.token_is_active(token_id, end) is False


async def test_a_backup_of_an_older_version_is_restored_and_stays_as_it_is(
    opened: Opened, place: Place
) -> None:
    source, target = place("sqlite"), place("redis")
    assert isinstance(source, SqliteStoreLocation)
    await fill(await opened(source))
    before = await answers(await opened(source))
    await (await opened(source)).close()
    backup = place("sqlite")
    assert isinstance(backup, SqliteStoreLocation)
    await moved(source, backup)
    connection = apsw.Connection(str(backup.path))
    # What the version before this one had not.
    connection.execute(
        "ALTER TABLE state DROP COLUMN refused_until; ALTER TABLE state DROP COLUMN is_backup"
    )
    version = int(connection.pragma("user_version"))
    connection.pragma("user_version", version - 1)
    connection.close()
    content = backup.path.read_bytes()

    await moved(backup, target)
    assert await answers(await opened(target)) == before
    assert backup.path.read_bytes() == content
