"""Questions that are asked together are answered together, each caller for itself."""

import asyncio
from collections.abc import Sequence

import pytest

from broker.stores.in_batches import MAX_BATCH, InBatches


class Answers:
    """Doubles numbers, and keeps what it was asked at once."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, questions: Sequence[int]) -> Sequence[int]:
        self.asked.append(list(questions))
        await self.may_answer.wait()
        if 13 in questions:
            raise LookupError
        return [2 * each for each in questions]


async def test_each_gets_the_answer_to_its_own_question() -> None:
    answers = Answers()
    batches = InBatches(answers)

    numbers = range(100, 300)
    told = await asyncio.gather(*(batches.ask(each) for each in numbers))

    assert told == [2 * each for each in numbers]
    assert max(map(len, answers.asked)) == MAX_BATCH


async def test_what_is_asked_while_others_are_answered_goes_into_the_next_batch() -> None:
    answers = Answers()
    answers.may_answer.clear()
    batches = InBatches(answers)
    first = batches.ask(1)
    while not answers.asked:  # noqa: ASYNC110 - a batch is asked for after some turns of the loop
        await asyncio.sleep(0)
    others = [batches.ask(each) for each in (2, 3)]
    answers.may_answer.set()

    assert await asyncio.gather(first, *others) == [2, 4, 6]
    assert answers.asked == [[1], [2, 3]]


async def test_a_batch_that_fails_fails_for_all_of_it_and_for_none_after() -> None:
    batches = InBatches(Answers())

    told = await asyncio.gather(batches.ask(1), batches.ask(13), return_exceptions=True)

    assert [type(each) for each in told] == [LookupError, LookupError]
    assert await batches.ask(4) == 8


async def test_a_caller_that_goes_away_takes_nothing_from_the_others() -> None:
    answers = Answers()
    answers.may_answer.clear()
    batches = InBatches(answers)
    gone, stays, fails = batches.ask(1), batches.ask(2), batches.ask(3)
    gone.cancel()
    answers.may_answer.set()

    assert await stays == 4
    assert await fails == 6
    also_gone = batches.ask(13)
    also_gone.cancel()
    with pytest.raises(LookupError):
        await batches.ask(13)


async def test_closing_waits_for_what_was_asked() -> None:
    batches = InBatches(Answers())
    await batches.close()
    asked = batches.ask(5)
    await batches.close()

    assert asked.done()
    assert asked.result() == 10
