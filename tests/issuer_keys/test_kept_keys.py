"""Keys that are kept in the store: after a restart, beside other processes, while a store is away.

Each test runs on SQLite and on Redis (contract §7; attacks rows 28, 30 and 33).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from broker.core.errors import Reason, Refusal, Unavailable
from broker.core.issuer_keys import VerificationKey
from broker.core.kept_keys import MAX_AGE, MAX_AHEAD, KeptKeys
from broker.core.policy import Issuer
from broker.core.redis_address import read_redis_address
from broker.issuer_keys import HttpIssuerKeys
from broker.issuer_keys.cache import IssuerKeyCache
from broker.ports import Store
from broker.settings.model import SqliteStoreLocation
from broker.signing.master_key import MasterKey
from broker.signing.sealed_issuer_keys import PREFIX, SealedIssuerKeys
from broker.signing.sealed_rows import SealedBox
from broker.stores.opening import StoreLocation, open_store
from broker.testing import FrozenClock
from tests.issuer_keys.issuers import issuer_of, issuer_with_file
from tests.issuer_keys.jwks import document, rsa_jwk, rsa_key
from tests.issuer_keys.key_server import DISCOVERY, KEYS, Answer, KeyServer
from tests.stores.entries import an_event

if TYPE_CHECKING:
    from tests.redis_server import RedisServer

HOUR: Final = 3600.0
MASTER_KEY: Final = MasterKey(bytes(range(32)))
WAIT_SECONDS: Final = 60.0


class Process:
    """The part of a broker's process that looks after issuers' keys."""

    def __init__(self, store: Store, clock: FrozenClock) -> None:
        self.store = store
        self.sealed = SealedIssuerKeys(store, SealedBox(MASTER_KEY))
        self.keys = HttpIssuerKeys(
            clock, broker_on_loopback=True, rng=lambda: 0.0, keeping=self.sealed
        )

    async def find(self, issuer: Issuer, key_id: str) -> VerificationKey:
        return await self.keys.find(issuer, key_id)

    async def settled(self, issuer: Issuer, key_id: str) -> None:
        """Find a key, and wait for the fetch that may have begun behind it."""
        await self.find(issuer, key_id)
        while flights := [each for each in map(_under_way, self.keys._caches.values()) if each]:
            await asyncio.wait(flights)

    async def reason(self, issuer: Issuer, key_id: str) -> Reason:
        with pytest.raises(Refusal) as refused:
            await self.keys.find(issuer, key_id)
        return refused.value.reason

    async def kept(self, issuer: Issuer) -> KeptKeys | None:
        [found] = await self.sealed.kept([issuer])
        return found

    async def until_kept(self, issuer: Issuer, since: float) -> None:
        """Wait until a set of this time is kept: nobody else waits for that."""
        until = time.monotonic() + WAIT_SECONDS
        while (kept := await self.kept(issuer)) is None or kept.since != since:
            assert time.monotonic() < until, kept
            await asyncio.sleep(0.01)

    async def until_all_is_kept(self) -> None:
        """Wait until nothing that was fetched is still being kept."""
        keepers = [cache._keeper for cache in self.keys._caches.values()]
        if waiting := [each for each in keepers if each is not None]:
            await asyncio.wait(waiting)

    async def end(self) -> None:
        await self.keys.close()
        await self.store.close()


def _under_way(cache: IssuerKeyCache) -> "asyncio.Task[None] | None":
    return cache._under_way()


Start = Callable[[], Awaitable[Process]]


@pytest.fixture(params=["sqlite", "redis"])
async def start(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FrozenClock
) -> AsyncIterator[Start]:
    """Start a process on the same store at each call."""
    if request.param == "redis":
        redis: RedisServer = request.getfixturevalue("redis")
        location: StoreLocation = read_redis_address(redis.url)
    else:
        location = SqliteStoreLocation(tmp_path / "broker.db")
    async with AsyncExitStack() as stack:

        async def started() -> Process:
            process = Process(await open_store(location, clock), clock)
            stack.push_async_callback(process.end)
            return process

        yield started


@pytest.fixture
async def process(start: Start) -> Process:
    return await start()


# --- after a restart ------------------------------------------------------------------------------


async def test_after_a_restart_while_the_issuer_is_away_its_tokens_still_verify(
    start: Start, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    first = await start()
    await first.find(issuer, "k1")
    await first.end()
    await server.down()
    clock.advance(HOUR)

    second = await start()

    assert (await second.find(issuer, "k1")).key_id == "k1"
    (status,) = second.keys.status()
    assert (status.usable, status.age, status.uploaded) == (True, HOUR, False)
    assert await second.reason(issuer, "k2") is Reason.ISSUER_UNAVAILABLE


async def test_kept_keys_are_used_at_once_while_a_fetch_begins(
    start: Start, server: KeyServer
) -> None:
    issuer = issuer_of(server)
    first = await start()
    await first.find(issuer, "k1")
    await first.end()
    gate = asyncio.Event()
    server.answers[DISCOVERY] = replace(server.answers[DISCOVERY], until=gate)

    second = await start()

    assert (await second.find(issuer, "k1")).key_id == "k1"
    await server.asked(3)
    gate.set()


async def test_after_a_restart_a_key_that_is_not_kept_waits_for_the_fetch(
    start: Start, server: KeyServer
) -> None:
    issuer = issuer_of(server)
    first = await start()
    await first.find(issuer, "k1")
    await first.end()
    server.publish("k1", "k2")

    second = await start()

    assert (await second.find(issuer, "k2")).key_id == "k2"
    assert await second.reason(issuer, "k3") is Reason.KEY_NOT_FOUND
    # The first one, the one behind what was kept, the one for the key that is none.
    assert server.fetches() == 3


async def test_five_hundred_first_tokens_after_a_restart_cause_one_fetch(
    start: Start, server: KeyServer
) -> None:
    issuer = issuer_of(server)
    first = await start()
    await first.find(issuer, "k1")
    await first.end()

    second = await start()
    await asyncio.gather(*(second.find(issuer, "k1") for _ in range(500)))
    await server.asked(4)

    assert server.fetches() == 2


async def test_a_restart_does_not_prolong_the_24_hours(
    start: Start, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    first = await start()
    await first.find(issuer, "k1")
    await first.end()
    await server.down()

    clock.advance(24 * HOUR - 1)
    second = await start()
    assert (await second.find(issuer, "k1")).key_id == "k1"
    clock.advance(1)
    assert await second.reason(issuer, "k1") is Reason.ISSUER_UNAVAILABLE
    await second.end()

    third = await start()
    assert await third.reason(issuer, "k1") is Reason.ISSUER_UNAVAILABLE


@pytest.mark.parametrize("ahead", [MAX_AHEAD + 31, HOUR, 48 * HOUR])
async def test_keys_of_the_future_count_as_absent_after_the_clock_was_set_back(
    start: Start, server: KeyServer, clock: FrozenClock, ahead: float
) -> None:
    issuer = issuer_of(server)
    clock.advance(ahead)
    first = await start()
    await first.find(issuer, "k1")
    await first.end()
    await server.down()
    clock.advance(-ahead)

    second = await start()
    assert await second.reason(issuer, "k1") is Reason.ISSUER_UNAVAILABLE

    await server.up()
    clock.advance(30)
    await second.find(issuer, "k1")
    await second.until_kept(issuer, clock.now())


async def test_an_issuer_that_is_configured_otherwise_uses_nothing_of_before(
    start: Start, server: KeyServer, other_server: KeyServer
) -> None:
    issuer = issuer_of(server)
    first = await start()
    await first.find(issuer, "k1")
    await first.end()
    await server.down()
    second = await start()

    for changed in (
        issuer_of(server, jwks_uri=server.origin + KEYS),
        issuer_of(server, algorithms=frozenset({"RS256"})),
        issuer_of(server, "another-name"),
    ):
        assert await second.reason(changed, "k1") is Reason.ISSUER_UNAVAILABLE
    other_server.publish("k2")
    moved = issuer_of(other_server)
    assert (await second.find(moved, "k2")).key_id == "k2"
    assert await second.reason(moved, "k1") is Reason.KEY_NOT_FOUND


async def test_while_a_reload_changes_an_issuer_neither_takes_the_keys_of_the_other(
    start: Start, server: KeyServer, clock: FrozenClock
) -> None:
    """Both are held for a moment: of the same name, in either order."""
    before, after = issuer_of(server), issuer_of(server, jwks_uri=server.origin + KEYS)
    process = await start()
    for issuer in (before, after, before):
        await process.find(issuer, "k1")
    # Of one name there is one row: what is kept late would take the place of what is uploaded.
    await process.until_all_is_kept()
    for changed in (before, after):
        clock.advance(1)
        await upload(process, changed, "k9", since=clock.now())
        await process.keys.refresh()
        uploaded = [each.uploaded for each in process.keys.status()]
        assert sorted(uploaded) == ([False, True] if changed is before else [True, True])


async def test_a_key_file_keeps_nothing(process: Process) -> None:
    issuer = issuer_with_file(document(rsa_jwk(rsa_key(), "k1")))

    await process.find(issuer, "k1")
    await process.keys.close()

    assert await process.kept(issuer) is None


# --- beside other processes -----------------------------------------------------------------------


async def test_a_known_key_asks_the_store_for_nothing(
    process: Process, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    await process.find(issuer, "k1")
    await process.until_kept(issuer, clock.now())
    await process.store.close()

    for _ in range(10):
        assert (await process.find(issuer, "k1")).key_id == "k1"


async def test_a_key_that_another_process_has_fetched_needs_no_fetch(
    start: Start, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    here, there = await start(), await start()
    for each in (here, there):
        await each.settled(issuer, "k1")
    clock.advance(10)
    server.publish("k1", "k2")
    await there.find(issuer, "k2")
    await there.until_kept(issuer, clock.now())
    fetches = server.fetches()

    assert (await here.find(issuer, "k2")).key_id == "k2"
    assert server.fetches() == fetches


async def test_what_another_process_has_fetched_does_not_have_the_last_word_on_an_unknown_key(
    start: Start, server: KeyServer, clock: FrozenClock
) -> None:
    """Attacks row 29: the key may have been published since."""
    issuer = issuer_of(server)
    here, there = await start(), await start()
    for each in (here, there):
        await each.settled(issuer, "k1")
    clock.advance(10)
    server.publish("k1", "k2")
    await there.find(issuer, "k2")
    await there.until_kept(issuer, clock.now())
    server.publish("k1", "k2", "k3")

    found = await asyncio.gather(*(here.find(issuer, key_id) for key_id in ("k2", "k3", "k3")))
    assert [each.key_id for each in found] == ["k2", "k3", "k3"]


async def test_a_flood_of_unknown_key_ids_asks_neither_issuer_nor_store_more_often(
    start: Start, server: KeyServer, clock: FrozenClock
) -> None:
    """Attacks row 28: with a store that is away, a look would take seconds each time."""
    issuer = issuer_of(server)
    process = await start()
    looks = 0

    class Counted(SealedIssuerKeys):
        async def kept(self, issuers: Sequence[Issuer]) -> list[KeptKeys | None]:
            nonlocal looks
            looks += 1
            return [None]

    keys = HttpIssuerKeys(
        clock,
        broker_on_loopback=True,
        rng=lambda: 0.0,
        keeping=Counted(process.store, SealedBox(MASTER_KEY)),
    )
    await keys.find(issuer, "k1")
    for number in range(200):
        with pytest.raises(Refusal):
            await keys.find(issuer, f"random-{number}")
        clock.advance(0.1)
    await keys.close()

    assert server.fetches() == looks == 2


async def test_a_process_that_cannot_reach_the_issuer_lives_on_what_others_fetch(
    start: Start, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    cut_off, there = await start(), await start()
    for each in (cut_off, there):
        await each.settled(issuer, "k1")
    answers = dict(server.answers)
    for _ in range(2):
        clock.advance(20 * HOUR)
        server.answers = answers
        await there.settled(issuer, "k1")
        await there.keys.refresh_due()
        await there.until_kept(issuer, clock.now())
        server.answers = {}
        await cut_off.keys.refresh_due()
        assert (await cut_off.find(issuer, "k1")).key_id == "k1"

    (status,) = cut_off.keys.status()
    assert (status.age, status.failures) == (0, 2)


async def test_a_withdrawn_key_does_not_come_back_from_a_process_that_was_cut_off(
    start: Start, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    server.publish("k1", "withdrawn")
    stale = await start()
    gate = asyncio.Event()
    server.answers[KEYS] = replace(server.answers[KEYS], until=gate)
    slow = asyncio.create_task(stale.find(issuer, "withdrawn"))
    await server.asked(2)
    clock.advance(5)
    server.publish("k1")
    there = await start()
    await there.find(issuer, "k1")
    await there.until_kept(issuer, clock.now())
    gate.set()
    await slow
    await stale.end()
    await server.down()

    restarted = await start()
    assert await restarted.reason(issuer, "withdrawn") is Reason.ISSUER_UNAVAILABLE
    assert (await restarted.find(issuer, "k1")).key_id == "k1"


# --- what an operator uploads ---------------------------------------------------------------------


async def upload(process: Process, issuer: Issuer, *key_ids: str, since: float) -> None:
    text = document(*(rsa_jwk(rsa_key(), each) for each in key_ids))
    await process.sealed.upload(issuer, KeptKeys(text, since, uploaded=True), an_event())


async def test_uploaded_keys_count_where_the_issuer_was_asked_for_and_where_it_was_not(
    start: Start, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    await server.down()
    asked, fresh = await start(), await start()
    assert await asked.reason(issuer, "k1") is Reason.ISSUER_UNAVAILABLE

    await upload(fresh, issuer, "k1", since=clock.now())
    await asked.keys.refresh()

    for each in (asked, fresh):
        assert (await each.find(issuer, "k1")).key_id == "k1"
        assert each.keys.status()[0].uploaded
    clock.advance(MAX_AGE)
    for each in (asked, fresh, await start()):
        assert await each.reason(issuer, "k1") is Reason.ISSUER_UNAVAILABLE


async def test_the_next_good_fetch_takes_the_place_of_uploaded_keys(
    start: Start, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    process = await start()
    await process.find(issuer, "k1")
    await process.until_kept(issuer, clock.now())
    clock.advance(1)
    await upload(process, issuer, "k9", since=clock.now())
    await process.keys.refresh()
    assert process.keys.status()[0].key_ids == ("k9",)

    clock.advance(300)
    await process.keys.refresh_due()

    assert process.keys.status()[0].key_ids == ("k1",)
    await process.until_kept(issuer, clock.now())


async def test_a_fetch_that_began_before_an_upload_does_not_undo_it(
    start: Start, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server)
    process = await start()
    await process.find(issuer, "k1")
    await process.until_kept(issuer, clock.now())
    gate = asyncio.Event()
    server.answers[KEYS] = replace(server.answers[KEYS], until=gate)
    clock.advance(300)
    refreshing = asyncio.create_task(process.keys.refresh_due())
    await server.asked(4)

    clock.advance(1)
    await upload(process, issuer, "k9", since=clock.now())
    await process.keys.refresh()
    gate.set()
    await refreshing

    assert process.keys.status()[0].key_ids == ("k9",)
    kept = await process.kept(issuer)
    assert kept is not None
    assert kept.uploaded


# --- when the store is away -----------------------------------------------------------------------


async def test_a_store_that_is_away_stops_no_fetch_and_is_told_once(
    process: Process, server: KeyServer, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    issuer = issuer_of(server)
    await process.store.close()

    assert (await process.find(issuer, "k1")).key_id == "k1"
    for _ in range(3):
        clock.advance(300)
        await process.keys.refresh_due()
    await process.keys.close()

    [told] = [each.getMessage() for each in caplog.records if "not kept" in each.getMessage()]
    assert told.startswith("issuer 'gitlab-corp': its keys are not kept: the store ")


async def test_whoever_asks_for_an_issuer_that_is_away_is_answered_without_the_store_too(
    process: Process, server: KeyServer, tmp_path: Path
) -> None:
    await process.store.close()
    server.answers[DISCOVERY] = Answer(status=500)

    assert await process.reason(issuer_of(server), "k1") is Reason.ISSUER_UNAVAILABLE


async def test_a_refresh_tells_that_the_store_is_away(
    start: Start, server: KeyServer, clock: FrozenClock
) -> None:
    class Away(SealedIssuerKeys):
        async def kept(self, issuers: Sequence[Issuer]) -> list[KeptKeys | None]:
            raise Unavailable(Reason.STORE_UNAVAILABLE, "the store cannot be read")

    process = await start()
    away = Away(process.store, SealedBox(MASTER_KEY))
    keys = HttpIssuerKeys(clock, broker_on_loopback=True, keeping=away)
    assert (await keys.find(issuer_of(server), "k1")).key_id == "k1"
    with pytest.raises(Unavailable):
        await keys.refresh()
    await keys.close()


async def test_kept_keys_that_are_no_key_set_are_not_used(
    process: Process, server: KeyServer, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    """As a later version may have kept them, whose rules for keys are others."""
    issuer = issuer_of(server)
    await server.down()
    await process.sealed.keep(issuer, KeptKeys(b'{"keys": []}', clock.now()), clock.now())

    assert await process.reason(issuer, "k1") is Reason.ISSUER_UNAVAILABLE
    assert "its kept keys are not used" in caplog.text


async def test_what_is_kept_shows_no_key_and_no_proxy(
    process: Process, server: KeyServer, clock: FrozenClock
) -> None:
    issuer = issuer_of(server, proxy="http://user:hunter2@127.0.0.1:9")
    await process.sealed.keep(
        issuer,
        KeptKeys(document(rsa_jwk(rsa_key(), "key-of-the-issuer")), clock.now()),
        clock.now(),
    )

    row = await process.store.sealed_row(PREFIX + issuer.name)
    assert row is not None
    for shown in (b"hunter2", b"key-of-the-issuer", b"keys", server.origin.encode()):
        assert shown not in row
