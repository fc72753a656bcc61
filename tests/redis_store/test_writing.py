"""How a process writes to Redis: in order, beside others, and nothing that it did not mean."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from broker.core.audit import ChainedEvent
from broker.core.audit_chain import Position, StoredEvent
from broker.core.errors import Unavailable
from broker.core.redis_address import read_redis_address
from broker.ports import AlreadySpent, Committed, Entry
from broker.stores import redis_keys, redis_retention, redis_stored_events, redis_writer
from broker.stores.redis import RedisStore
from broker.stores.redis_link import Link
from broker.system import UuidV7Identifiers
from broker.testing import FrozenClock
from tests.redis_server import RedisServer
from tests.redis_store.conftest import Open, impatient
from tests.redis_store.wire import wire_to
from tests.stores.entries import NOW, a_spend, an_entry, an_event, assert_chained


async def test_events_are_passed_on_in_the_order_of_the_chain(
    redis: RedisServer, clock: FrozenClock
) -> None:
    passed: list[int] = []

    def sink(event: ChainedEvent) -> None:
        passed.append(event.sequence)
        if event.sequence == 2:
            raise BrokenPipeError

    store = await RedisStore.open(read_redis_address(redis.url), clock, on_committed=sink)
    changes = (store.revoke_token(f"t-{n}", int(NOW) + 9, an_event()) for n in range(5))
    await asyncio.gather(*(store.commit(an_entry()) for _ in range(20)), *changes)
    await store.close()

    assert passed == list(range(1, 26))


async def test_events_of_a_batch_that_nobody_was_sure_of_are_passed_on_behind_time(
    own_redis: RedisServer, clock: FrozenClock
) -> None:
    passed: list[int] = []

    def sink(event: ChainedEvent) -> None:
        passed.append(event.sequence)

    async with wire_to(own_redis.port) as wire:
        store = await RedisStore.open(read_redis_address(wire.url), clock, on_committed=sink)
        await store.commit(an_entry())
        wire.answers_lost = 2
        with pytest.raises(Unavailable):
            await store.commit(an_entry())
        await store.commit(an_entry())
        while len(passed) < 3:  # noqa: ASYNC110 - a sink has no event
            await asyncio.sleep(0.01)
        own_redis.pause()
        with impatient(), pytest.raises(Unavailable):
            await store.commit(an_entry())
        own_redis.resume()
        await store.commit(an_entry())
        end = await store.chain_end()
        await store.close()

    assert end is not None
    assert passed == list(range(1, end.sequence + 1))


async def test_many_writers_make_one_chain(redis: RedisServer, opened: Open) -> None:
    stores = [await opened(redis.url) for _ in range(5)]
    names = [str(number) for number in range(40)]
    receipts = await asyncio.gather(
        *(store.commit(a_spend(name)) for name in names for store in stores)
    )

    assert sum(isinstance(receipt, Committed) for receipt in receipts) == len(names)
    assert_chained(await stores[0].events(limit=1000))


async def test_a_server_that_is_slow_is_not_taken_for_others_who_write_all_the_time(
    redis: RedisServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_writer, "TURN_SECONDS", 0)
    store, other = [await opened(redis.url) for _ in range(2)]
    await store.commit(a_spend("token"))
    await other.commit(an_entry())

    # The head that it knows has moved by now, and the first try takes longer than it may.
    assert await store.commit(a_spend("token")) == AlreadySpent(3)


async def test_an_entry_whose_refusal_fails_fails_alone(redis: RedisServer, opened: Open) -> None:
    store = await opened(redis.url)
    await store.commit(a_spend("token"))

    def failing() -> Any:
        raise StopIteration

    spent = a_spend("token")
    broken = Entry(spent.event, spent.spend, failing)
    outcomes = await asyncio.gather(
        store.commit(broken), store.commit(an_entry()), return_exceptions=True
    )

    assert isinstance(outcomes[0], RuntimeError)
    assert outcomes[1] == Committed(2)


async def test_what_waits_too_long_is_refused(
    redis: RedisServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_writer, "MAX_QUEUE", 10)
    store = await opened(redis.url)
    outcomes = await asyncio.gather(
        *(store.commit(an_entry()) for _ in range(20)), return_exceptions=True
    )

    assert sum(isinstance(each, Unavailable) for each in outcomes) == 10
    assert len(await store.events()) == 10


async def test_what_was_pruned_leaves_nothing_behind(
    redis: RedisServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.stores.redis_retention.CLEANED_AT_ONCE", 7)
    store = await opened(redis.url)
    for number in range(30):
        await store.commit(an_entry(service_account="cron", reason=f"r-{number % 3}"))
    events = (await store.chain_page(0, 100)).events
    last = events[24]
    redis.command("SET", redis_keys.event(3), "damaged")

    assert await store.prune_events(Position(last.sequence, last.hash), "signed") == 25
    assert redis.command("ZCARD", redis_keys.EVENT_IDS) in ("5", "6")
    assert redis.command("ZCARD", redis_keys.events_by("service_account", "cron")) == "5"
    assert redis.command("EXISTS", *(redis_keys.event(number) for number in range(1, 26))) == "0"
    assert await store.commit(an_entry()) == Committed(31)


async def test_a_chain_never_begins_earlier_than_another_process_has_pruned_it(
    redis: RedisServer, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = await opened(redis.url), await opened(redis.url)
    for _ in range(30):
        await store.commit(an_entry())
    events = (await store.chain_page(0, 100)).events
    ends = [Position(each.sequence, each.hash) for each in events]
    found = redis_stored_events.read_events

    async def found_while_another_prunes(link: Link, sequences: Sequence[int]) -> list[StoredEvent]:
        answer = await found(link, sequences)
        monkeypatch.setattr(redis_retention, "read_events", found)
        assert await other.prune_events(ends[19], "by another") == 20
        return answer

    monkeypatch.setattr(redis_retention, "read_events", found_while_another_prunes)

    assert await store.prune_events(ends[9], "by this") == 0
    page = await store.chain_page(0, 100)
    assert page.beginning == "by another"
    assert [each.sequence for each in page.events] == list(range(21, 31))


async def test_spends_that_are_over_are_forgotten(
    redis: RedisServer, opened: Open, clock: FrozenClock
) -> None:
    store = await opened(redis.url)
    await asyncio.gather(*(store.commit(a_spend(str(number))) for number in range(200)))
    clock.advance(3600)
    for _ in range(4):
        await asyncio.gather(*(store.commit(an_entry()) for _ in range(64)))

    assert redis.command("ZCARD", redis_keys.SPENDS) == "0"


async def test_a_key_whose_words_are_many_is_written_whole(
    redis: RedisServer, opened: Open
) -> None:
    store = await opened(redis.url)
    uses = {"cron": {f"s-{number}": NOW + number for number in range(5000)}}
    await store.note_uses(uses)

    assert await store.last_uses("cron") == uses["cron"]


@pytest.mark.parametrize("damage", ["{", "[]", "", "a\nb\n{}", "no end of line"])
async def test_a_token_whose_event_is_damaged_is_not_on_record(
    damage: str, redis: RedisServer, opened: Open
) -> None:
    store = await opened(redis.url)
    identifiers = UuidV7Identifiers()
    token_id = identifiers.new(NOW)
    await store.commit(an_entry(id=identifiers.new(NOW), token_id=token_id))
    assert await store.token_is_active(token_id, int(NOW) + 60)
    redis.command("SET", redis_keys.event(1), f'{damage}"token_id":"{token_id}"')

    assert not await store.token_is_active(token_id, int(NOW) + 60)
    assert await store.event_of_token(token_id) is None
