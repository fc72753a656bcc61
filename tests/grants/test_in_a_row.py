"""Work that several requests ask for in one turn of the event loop, done in a row."""

import asyncio
from collections.abc import Callable

import pytest

from broker.grants.in_a_row import MAX_IN_A_ROW, InARow


def noting(done: list[str], name: str) -> Callable[[], str]:
    def work() -> str:
        done.append(name)
        return name

    return work


async def test_what_is_asked_for_in_one_turn_is_done_in_a_row_in_the_next() -> None:
    row, done = InARow(), list[str]()
    asked = [row.do(noting(done, name)) for name in ("first", "second")]
    asyncio.get_running_loop().call_soon(done.append, "something else")
    assert done == []

    assert [await each for each in asked] == ["first", "second"]
    assert done == ["first", "second", "something else"]

    assert await row.do(noting(done, "later")) == "later"


async def test_what_one_work_raises_is_raised_where_it_was_asked_for_alone() -> None:
    def fail() -> None:
        raise ValueError("this one")

    row, done = InARow(), list[str]()
    before, failing, after = (
        row.do(noting(done, "before")),
        row.do(fail),
        row.do(noting(done, "after")),
    )

    with pytest.raises(ValueError, match="this one"):
        await failing
    assert [await before, await after] == ["before", "after"]


async def test_whoever_is_cancelled_holds_up_nobody() -> None:
    row, done = InARow(), list[str]()
    gone = asyncio.ensure_future(row.do(noting(done, "gone")))
    stays = row.do(noting(done, "stays"))
    gone.cancel()

    assert await stays == "stays"


async def test_a_long_row_lets_others_through() -> None:
    row, done = InARow(), list[str]()
    asked = [row.do(noting(done, str(number))) for number in range(2 * MAX_IN_A_ROW + 1)]
    await asyncio.sleep(0)
    assert len(done) == MAX_IN_A_ROW

    assert [await each for each in asked] == done == list(map(str, range(2 * MAX_IN_A_ROW + 1)))


async def test_work_that_waits_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whatever loops that were closed have left undone in this process.
    monkeypatch.setattr(InARow, "_asked", 0)
    row, done = InARow(), list[str]()
    assert not InARow.busy()

    asked = row.do(noting(done, "work"))
    assert InARow.busy()

    await asked
    assert not InARow.busy()
