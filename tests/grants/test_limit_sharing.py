import asyncio
import logging

import pytest

from broker.core.limits import Rate
from broker.grants.limit_sharing import LimitSharing
from broker.grants.limit_table import LimitTable
from broker.grants.rate_limits import RateLimits
from tests.core.builders import NOW
from tests.grants.limiting import Limiting, client_is_admitted

TEN = Rate(10, 60)
HUNDRED = Rate(100, 60)


@pytest.fixture
def limiting() -> Limiting:
    return Limiting()


async def test_two_processes_that_take_turns_count_as_one(limiting: Limiting) -> None:
    limiting.counts.processes = 2
    (one, _), (other, _) = limiting.process(client=TEN), limiting.process(client=TEN)

    admitted = [await client_is_admitted(each) for each in (one, other) * 10]

    assert admitted == [True] * 10 + [False] * 10


async def test_requests_that_come_at_once_to_several_processes_count_as_one(
    limiting: Limiting,
) -> None:
    limiting.counts.processes = 3
    processes = [limiting.process(client=HUNDRED) for _ in range(3)]
    for _, sharing in processes:
        await sharing.beat()

    admitted = await asyncio.gather(
        *(client_is_admitted(limits) for _ in range(100) for limits, _ in processes)
    )

    assert 95 <= sum(admitted) <= 105


@pytest.mark.parametrize("turns", [1, 3, 20])
async def test_requests_that_come_while_others_are_shared_are_counted_once(
    limiting: Limiting, turns: int
) -> None:
    limiting.counts.processes = 2
    limiting.counts.turns = turns
    processes = [limiting.process(client=HUNDRED)[0] for _ in range(2)]

    async def come_later(turns: int, limits: RateLimits) -> bool:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await client_is_admitted(limits)

    admitted = await asyncio.gather(
        *(come_later(number, limits) for number in range(120) for limits in processes)
    )

    assert 95 <= sum(admitted) <= 105


async def test_within_its_part_of_the_tolerance_a_process_asks_nobody(limiting: Limiting) -> None:
    limits, sharing = limiting.process(client=HUNDRED)
    await sharing.beat()

    assert [await client_is_admitted(limits) for _ in range(2)] == [True] * 2
    assert limiting.counts.shared == 0
    assert await client_is_admitted(limits)
    assert limiting.counts.shared == 1


async def test_who_is_refused_asks_nobody_either(limiting: Limiting) -> None:
    limits, _ = limiting.process(client=TEN)
    for _ in range(10):
        assert await client_is_admitted(limits)
    shared = limiting.counts.shared

    assert not any([await client_is_admitted(limits) for _ in range(50)])
    assert limiting.counts.shared == shared


async def test_each_key_has_a_count_of_its_own(limiting: Limiting) -> None:
    limits, _ = limiting.process(client=Rate(1, 60))

    assert [await client_is_admitted(limits, each) for each in ("a", "b", "a", "b:x:1")] == [
        True, True, False, True,
    ]  # fmt: skip


async def test_without_the_others_a_process_counts_alone_and_says_so_once(
    limiting: Limiting, caplog: pytest.LogCaptureFixture
) -> None:
    limits, sharing = limiting.process(client=TEN)
    limiting.counts.in_trouble = True

    admitted = [await client_is_admitted(limits) for _ in range(12)]

    assert admitted == [True] * 10 + [False] * 2
    [alone] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "alone" in alone.message
    limiting.counts.in_trouble = False
    await sharing.beat()
    await sharing.beat()
    assert [each.levelno for each in caplog.records] == [logging.ERROR, logging.WARNING]


async def test_who_went_away_while_it_waited_takes_nobody_with_it(limiting: Limiting) -> None:
    limits, _ = limiting.process(client=TEN)
    going = asyncio.create_task(client_is_admitted(limits))
    staying = asyncio.create_task(client_is_admitted(limits))
    await asyncio.sleep(0)

    going.cancel()

    assert await staying


async def test_what_was_forgotten_while_it_waited_is_shared_all_the_same(
    limiting: Limiting,
) -> None:
    _, sharing = limiting.process()
    table = LimitTable("small", TEN, sharing, max_keys=2)

    waiting = [table.ask(key, NOW) for key in ("a", "b", "c", "d")]

    assert len(table) <= 2
    assert [await each for each in waiting if not isinstance(each, int)] == [0, 0, 0, 0]
    assert limiting.counts.shared == 4


async def test_what_was_forgotten_counts_alone_when_nobody_can_be_asked(
    limiting: Limiting,
) -> None:
    _, sharing = limiting.process()
    limiting.counts.in_trouble = True
    table = LimitTable("small", TEN, sharing, max_keys=2)

    waiting = [table.ask(key, NOW) for key in ("a", "b", "c", "d")]

    assert [await each for each in waiting if not isinstance(each, int)] == [0, 0, 0, 0]


async def test_a_process_hears_every_second_how_many_there_are(limiting: Limiting) -> None:
    sharing = LimitSharing(limiting.counts, limiting.clock)
    limiting.counts.processes = 7
    running = asyncio.create_task(sharing.run())
    for _ in range(10):
        await asyncio.sleep(0)

    assert sharing.processes == 7
    running.cancel()


async def test_to_close_waits_for_what_is_shared(limiting: Limiting) -> None:
    limits, sharing = limiting.process(client=TEN)
    await sharing.close()
    waiting = asyncio.create_task(client_is_admitted(limits))
    await asyncio.sleep(0)

    await sharing.close()

    assert limiting.counts.shared == 1
    assert await waiting


async def test_who_asks_stays_known_while_a_flood_of_others_passes(limiting: Limiting) -> None:
    _, sharing = limiting.process()
    table = LimitTable("flooded", Rate(1_000, 60), sharing, max_keys=100)
    for number in range(10_000):
        table.ask(f"stranger-{number}", NOW)
        if number % 40 == 0:
            table.ask("regular", NOW)

    assert len(table) <= 100
    window = table.window("regular")
    assert window is not None
    assert window.known + window.own == 250
