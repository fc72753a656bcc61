"""Pages of a large store in Redis are those of the same events in SQLite."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from broker.core.audit import AuditEvent
from broker.core.redis_address import read_redis_address
from broker.ports import Entry, EventFilter, EventPage, Store
from broker.stores import redis_event_pages, sqlite_event_pages
from broker.stores.redis import RedisStore
from broker.stores.sqlite import SqliteStore
from broker.system import UuidV7Identifiers
from broker.testing import FrozenClock
from tests.redis_server import RedisServer

NOW = 1_800_000_000.0
EVENTS = 600
HOUR = 3600
WANTED: tuple[dict[str, Any], ...] = (
    {},
    {"service_account": "account-3"},
    {"service_account": "ö" * 200},
    {"service_accounts": ("seldom", "account-1", "account-2", "nobody")},
    {"service_accounts": ("seldom", "account-1"), "policy": "policy-1"},
    {"type": "token.refused"},
    {"type": "token.exchanged", "outcome": "success"},
    {"reason": "blocked", "issuer": "github"},
    {"issuer": "github", "service_account": "account-3"},
    {"policy": "seldom"},
    {"policy": "policy-7"},
    {"since": NOW + 2 * HOUR, "until": NOW + 4 * HOUR},
    {"until": NOW + 90},
    {"since": NOW + 60 * (EVENTS - 2)},
    {"service_account": "account-3", "since": NOW + 2 * HOUR, "until": NOW + 4 * HOUR},
    {"reason": "blocked", "since": NOW - HOUR, "until": NOW + 10**9},
    {"since": NOW + 10**9},
)


def of_number(number: int, identifiers: UuidV7Identifiers) -> AuditEvent:
    """Give the so manieth event, one each minute; what is rare is at the beginning."""
    time = NOW + 60 * number
    members: dict[str, Any] = {
        "type": "token.exchanged",
        "outcome": "success",
        "service_account": f"account-{number % 10}",
        "issuer": "github",
        "policies": ("everybody", f"policy-{number % 10}"),
    }
    if number < 100 and number % 10 == 0:
        members |= {"type": "token.refused", "outcome": "refused", "reason": "blocked"}
        members |= {"service_account": "seldom", "policies": ("seldom",)}
    if number % 100 == 7:
        members |= {"service_account": "ö" * 200}
    return AuditEvent(id=identifiers.new(time), time=time, **members)


async def fill(store: Store) -> None:
    identifiers = UuidV7Identifiers(random.Random(7).randbytes)  # noqa: S311 - nothing secret
    events = [of_number(number, identifiers) for number in range(EVENTS)]
    await asyncio.gather(*(store.commit(Entry(event)) for event in events))


async def pages(store: Store, wanted: EventFilter) -> list[EventPage]:
    found = [await store.event_page(wanted, limit=20)]
    while found[-1].next_behind is not None:
        found.append(await store.event_page(wanted, behind=found[-1].next_behind, limit=20))
    return found


async def test_pages_are_the_same_whichever_store_holds_the_events(
    redis: RedisServer, tmp_path: Path, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (redis_event_pages, sqlite_event_pages):
        monkeypatch.setattr(module, "LOOKED_AT", 60)
    in_file = await SqliteStore.open(tmp_path / "broker.db", clock)
    in_redis = await RedisStore.open(read_redis_address(redis.url), clock)
    try:
        await asyncio.gather(fill(in_file), fill(in_redis))
        for asked in WANTED:
            wanted = EventFilter(**asked)
            assert await pages(in_redis, wanted) == await pages(in_file, wanted), asked
            found = await in_file.find_events(wanted, limit=1000)
            assert await in_redis.find_events(wanted, limit=1000) == found, asked
    finally:
        await in_file.close()
        await in_redis.close()


@pytest.mark.parametrize("behind", ["", "-1", "x", "9" * 19, "٣"])
async def test_what_is_no_position_is_refused(
    redis: RedisServer, clock: FrozenClock, behind: str
) -> None:
    store = await RedisStore.open(read_redis_address(redis.url), clock)
    try:
        with pytest.raises(ValueError, match="no number of an event"):
            await store.event_page(EventFilter(), behind=behind)
    finally:
        await store.close()
