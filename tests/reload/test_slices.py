"""Long work on the event loop leaves turns to others."""

import asyncio
import gc
import weakref
from time import perf_counter

import pytest

from broker.core.indexed_policies import IndexedPolicies
from broker.core.steps import Steps
from broker.reload.collector import set_aside, setting_aside
from broker.reload.retirement import GRACE, let_go
from broker.reload.slices import MOST_PAUSES, finish_in_slices
from tests import advancing_loop
from tests.core.builders import a_policy, a_policy_set


def working(seconds: float) -> Steps[str]:
    ends_at = perf_counter() + seconds
    while perf_counter() < ends_at:
        yield
    return "done"


async def test_others_have_many_turns_while_work_is_done() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert await finish_in_slices(working(0.1)) == "done"
    task.cancel()

    assert turns >= 5


@pytest.mark.parametrize("busy", [True, False])
async def test_work_stands_back_longer_while_requests_are_under_way(busy: bool) -> None:
    pauses = 0

    def is_busy() -> bool:
        nonlocal pauses
        pauses += 1
        return busy

    assert await finish_in_slices(working(0.02), is_busy) == "done"
    assert pauses % MOST_PAUSES == 0 or not busy
    assert pauses > 0


async def test_short_work_is_done_at_once() -> None:
    def nothing() -> Steps[int]:
        yield from ()
        return 7

    assert await finish_in_slices(nothing()) == 7


def test_a_retired_set_lives_as_long_as_requests_may_use_it() -> None:
    class Token:
        """Something that can be seen to be gone."""

    policies = [a_policy(f"p{number}", owner=str(number)) for number in range(100)]
    indexed = IndexedPolicies.of(a_policy_set(*policies))
    token = Token()
    gone = weakref.ref(token)
    object.__setattr__(policies[0], "description", token)
    del policies, token

    async def retire(retired: IndexedPolicies) -> None:
        task = asyncio.create_task(let_go(retired))
        del retired
        await asyncio.sleep(0)
        advancing_loop.advance(GRACE - 1)
        await asyncio.sleep(0)
        assert gone() is not None
        advancing_loop.advance(1.1)
        await task

    work = retire(indexed)
    del indexed
    advancing_loop.run(work)
    assert gone() is None


def test_taking_in_puts_the_collector_back_as_it_was() -> None:
    before = gc.get_threshold()
    with setting_aside():
        assert gc.get_threshold()[0] >= before[0]
        assert gc.get_threshold()[1] < before[1]
        assert gc.get_threshold()[2] > before[2]
        made = [[number] for number in range(1000)]

    assert gc.get_threshold() == before
    assert gc.get_freeze_count() >= len(made)
    gc.unfreeze()


def test_what_exists_at_the_start_is_set_aside() -> None:
    before = gc.get_threshold()
    set_aside()

    assert gc.get_freeze_count() > 1000
    assert gc.get_threshold()[0] > before[0]
    gc.unfreeze()
    gc.set_threshold(*before)
