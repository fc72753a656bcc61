"""Short questions to a store, answered together: all that were asked while others were answered."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from broker.stores.gathering import gather

MAX_BATCH: Final = 64

QUIET_TURNS: Final = 4
"""So many turns of the event loop have to bring no further question before those are asked."""

Question = TypeVar("Question")
Told = TypeVar("Told")


class InBatches(Generic[Question, Told]):
    """Asks for one event loop, by one batch at a time."""

    def __init__(self, answer: Callable[[Sequence[Question]], Awaitable[Sequence[Told]]]) -> None:
        """`answer` gives an answer for each question, in their order."""
        self._answer = answer
        self._waiting: list[tuple[Question, asyncio.Future[Told]]] = []
        self._task: asyncio.Task[None] | None = None

    def ask(self, question: Question) -> asyncio.Future[Told]:
        """Give the answer to a question, raising what the whole batch raises.

        A caller that is cancelled takes nothing from the others.
        """
        future: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="questions to the store")
        return future

    async def close(self) -> None:
        """Answer what waits."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def _run(self) -> None:
        while self._waiting:
            await gather(lambda: len(self._waiting), at_most=MAX_BATCH, quiet_turns=QUIET_TURNS)
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            try:
                told = await self._answer([question for question, _ in batch])
            except Exception as error:  # noqa: BLE001 - raised where the questions come from
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), each in zip(batch, told, strict=True):
                if not future.done():  # whoever asked was cancelled
                    future.set_result(each)
