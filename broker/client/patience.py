"""How often something is tried again, and for how long."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from broker.client.errors import BrokerTrouble

BUDGET: Final = 60.0
"""Seconds for all tries of one token together."""

_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 8.0

Result = TypeVar("Result")


class TryAgain(BrokerTrouble):
    """No answer, or one that another try may better; `wait` is what was asked for, in seconds."""

    def __init__(self, message: str, *, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(slots=True)
class Patience:
    """Tries for at most `budget` seconds, with growing, random pauses between the tries."""

    budget: float = BUDGET
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[float, float], float] = random.uniform
    _deadline: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin to count."""
        self._deadline = self.monotonic() + self.budget

    def insist(self, attempt: Callable[[], Result]) -> Result:
        """Give what an attempt gives, once one does not raise `TryAgain`.

        Raises what it raises, and the last `TryAgain` when the time is over.
        """
        pause = _FIRST_PAUSE
        while True:
            try:
                return attempt()
            except TryAgain as trouble:
                # Full jitter: jobs that failed together do not come back together.
                wait = max(self.uniform(0, pause), trouble.wait)
                if self.monotonic() + wait >= self._deadline:
                    raise
                self.sleep(wait)
                pause = min(pause * 2, _LONGEST_PAUSE)
