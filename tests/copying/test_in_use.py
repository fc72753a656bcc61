"""A store that is moved while brokers write to it is of one moment, and they wait for nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from broker.core.audit_chain import Position
from broker.core.errors import ConfigurationError
from broker.ports import AccountRow, AccountRows, Store
from broker.ports.contents import (
    EVENTS,
    POLICY_SETS,
    REVOCATIONS,
    SPENDS,
    Part,
    StoreChanged,
)
from broker.stores import redis_keys
from broker.stores.opening import open_contents, open_reading
from broker.stores.redis_contents import RedisContents
from broker.stores.redis_link import Word
from tests.copying.conftest import Opened, Place
from tests.copying.filled import fill, presented_again
from tests.copying.moving import moved, verified
from tests.redis_server import RedisServer
from tests.stores.entries import NOW, a_spend, an_event


@contextlib.asynccontextmanager
async def being_written(store: Store) -> AsyncIterator[list[str]]:
    """Spend tokens until the block ends; give the names of those that were."""
    names: list[str] = []
    begun = asyncio.Event()

    async def write() -> None:
        number = 0
        while True:
            name = f"meanwhile-{number}"
            await store.commit(a_spend(name))
            names.append(name)
            begun.set()
            number += 1
            # SQLite and Redis are written from one event loop here; a command has its own.
            await asyncio.sleep(0)

    task = asyncio.create_task(write())
    try:
        await begun.wait()
        yield names
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
async def test_every_token_of_an_event_in_the_copy_is_spent_there(
    kind: str, opened: Opened, place: Place
) -> None:
    source = place(kind)
    store = await opened(source)
    await fill(store)
    async with being_written(store) as names:
        copies = [place("sqlite"), place("redis")]
        for target in copies:
            await moved(source, target)
        before = len(names)
    for target in copies:
        copy = await opened(target)
        events = {event["id"] for event in await copy.events(limit=10_000)}
        assert 40 < len(events) <= before + 70
        spent = [row async for page in rows_of(target, SPENDS) for row in page]
        # Every event of this test but those that change something spends a token.
        spending = [
            event
            for event in await copy.events(limit=10_000)
            if event["type"] in ("token.exchanged", "token.refused")
        ]
        assert len(spent) >= len(spending)


async def rows_of(location: object, part: Part) -> AsyncIterator[list[object]]:
    reading = open_contents(location)  # type: ignore[arg-type]
    await reading.begin()
    async for page in reading.rows(part):
        yield list(page)
    await reading.close()


def an_account(name: str, epoch: int) -> AccountRows:
    return AccountRows(
        epoch=epoch,
        accounts=(AccountRow(name, "account", None, deleted=False, content=b"x"),),
        new_ids=frozenset({name}),
        secrets=(),
        removed_secrets=(),
        events=(an_event(type="account.created", target=name),),
    )


class Interrupted(RedisContents):
    """Lets something happen before a part is read, once or always."""

    def __init__(self, *arguments: object, store: Store, always: bool, part: Part) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.store, self.always, self.part, self.times = store, always, part, 0

    async def happens(self) -> None:
        """Make an account."""
        await self.store.change_account_rows(
            an_account(f"new-{self.times}", await self.store.state_epoch())
        )

    async def rows(self, part: Part):  # type: ignore[no-untyped-def] # noqa: ANN201
        if part is self.part and (self.always or not self.times):
            self.times += 1
            await self.happens()
        async for page in super().rows(part):
            yield page


class Pruned(Interrupted):
    """Prunes more than has been read."""

    async def happens(self) -> None:
        event = (await self.store.chain_page(0, 100)).events[29]
        await self.store.prune_events(Position(event.sequence, event.hash), "signed")


@pytest.mark.parametrize(
    ("kind", "part"), [(Interrupted, POLICY_SETS), (Pruned, EVENTS)]
)  # fmt: skip
async def test_what_changes_while_it_is_read_from_redis_is_read_again(
    kind: type[Interrupted],
    part: Part,
    opened: Opened,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, target = place("redis"), place("sqlite")
    store = await opened(source)
    await fill(store)
    reading = kind(source, store=store, always=False, part=part)
    monkeypatch.setattr("tests.copying.moving.open_contents", lambda _: reading)
    await moved(source, target)
    monkeypatch.undo()

    copy = open_reading(target)
    assert reading.times == 1
    assert await copy.chain_end() == await store.chain_end()
    assert await copy.chain_page(0, 1000) == await store.chain_page(0, 1000)
    assert await copy.account_rows_of(["new-1"]) == await store.account_rows_of(["new-1"])
    if kind is Interrupted:
        await verified(target)


async def test_a_store_that_never_stands_still_is_given_up(
    opened: Opened, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = place("redis"), place("sqlite")
    store = await opened(source)
    await fill(store)
    reading = Interrupted(source, store=store, always=True, part=POLICY_SETS)
    monkeypatch.setattr("tests.copying.moving.open_contents", lambda _: reading)

    with pytest.raises(ConfigurationError, match="changes all the time"):
        await moved(source, target)


async def test_what_comes_after_the_last_event_of_a_copy_is_not_in_it(
    opened: Opened, place: Place
) -> None:
    source, target = place("redis"), place("sqlite")
    store = await opened(source)
    await fill(store)
    reading = open_contents(source)
    state = await reading.begin()
    await store.commit(presented_again("later"))

    found = [row async for page in reading.rows(EVENTS) for row in page]
    await reading.close()
    assert found[-1][0] == state.end.sequence
    assert (await store.chain_end()) != state.end
    await moved(source, target)


async def test_no_revocation_is_passed_over_when_others_are_forgotten_meanwhile(
    opened: Opened, place: Place, redis: RedisServer
) -> None:
    """Those that are over go by whole seconds while a copy stands among them."""
    source = place("first redis")
    await opened(source)
    over = [word for number in range(700) for word in (100, f"over-{number:03}")]
    live = [word for number in range(600) for word in (200 + number // 300, f"live-{number:03}")]
    redis.command("ZADD", redis_keys.REVOCATIONS, *over, *live)

    reading = open_contents(source)
    await reading.begin()
    found: set[object] = set()
    async for page in reading.rows(REVOCATIONS):
        found.update(row[0] for row in page)
        redis.command("ZREMRANGEBYSCORE", redis_keys.REVOCATIONS, "-inf", "100")
    await reading.close()
    assert {f"live-{number:03}" for number in range(600)} <= found


async def test_a_policy_set_that_is_kept_meanwhile_is_no_damage(
    opened: Opened, place: Place
) -> None:
    source = place("redis")
    store = await opened(source)
    await fill(store)
    reading = RedisContents(source)  # type: ignore[arg-type]
    await reading.begin()
    link = reading._reading()
    call = link.call

    async def calling(*words: Word) -> object:
        answer = await call(*words)
        if words[0] == "HGETALL":
            await store.keep_policy_set("d" * 64, b"new", NOW)
        return answer

    link.call = calling  # type: ignore[method-assign]

    with pytest.raises(StoreChanged):
        assert len([page async for page in reading.rows(POLICY_SETS)]) <= 3
    await reading.close()
