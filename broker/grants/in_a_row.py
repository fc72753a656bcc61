"""Work of one kind, done in a row: what several requests ask for in one turn of the event loop.

Cryptography fills the caches of a processor, and so does all that stands between one signature and
the next: each drives the other out. Done in a row, a signature takes half as long
(docs/performance.md).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Final, TypeVar

MAX_IN_A_ROW: Final = 32
"""The event loop looks after everything else behind so many: 10 ms of RSA-2048 at most."""

Result = TypeVar("Result")


class InARow:
    """Does each piece of work in the next turn of the event loop, in the order of asking."""

    _asked: ClassVar[int] = 0
    """How much is waiting in all the rows of this process."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []

    def do(self, work: Callable[[], Result]) -> Awaitable[Result]:
        """Give what the work gives, and raise what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._do_all)
        self._waiting.append((work, future))
        InARow._asked += 1
        return future

    @classmethod
    def busy(cls) -> bool:
        """Tell whether any row of this process has work."""
        return cls._asked > 0

    def _do_all(self) -> None:
        row, self._waiting = self._waiting[:MAX_IN_A_ROW], self._waiting[MAX_IN_A_ROW:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._do_all)
        InARow._asked -= len(row)
        outcomes = [_outcome(work) for work, _ in row]
        for (_, future), outcome in zip(row, outcomes, strict=True):
            if future.done():  # whoever asked was cancelled
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


def _outcome(work: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the work gives
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - raised where the work comes from
        return error
