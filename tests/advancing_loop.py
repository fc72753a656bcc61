"""An event loop whose time a test moves on, so that no deadline is waited for."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class AdvancingLoop(asyncio.SelectorEventLoop):
    """Runs like any other, but its time can be put forward."""

    _ahead = 0.0

    def time(self) -> float:
        """Give the loop's time in seconds."""
        return super().time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Put the time forward: what waited for it comes due."""
        self._ahead += seconds


def advance(seconds: float) -> None:
    """Put forward the time of the loop that is running."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, AdvancingLoop)
    loop.advance(seconds)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine in a loop of this kind."""
    with asyncio.Runner(loop_factory=AdvancingLoop) as runner:
        return runner.run(work)
