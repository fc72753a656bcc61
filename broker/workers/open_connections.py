"""How many connections each worker has open, in memory that all of them see."""

import mmap
from typing import Final

_ITEM: Final = "i"
_SIZE: Final = 4
_NOT_SERVING: Final = -1


class OpenConnections:
    """One number for each worker; made before the workers are forked."""

    def __init__(self, workers: int) -> None:
        self._numbers = memoryview(mmap.mmap(-1, workers * _SIZE)).cast(_ITEM)
        for number in range(workers):
            self.reset(number)

    def reset(self, worker: int) -> None:
        """Note that a worker does not serve, or no longer."""
        self._numbers[worker] = _NOT_SERVING

    def begin(self, worker: int) -> None:
        """Note that a worker serves, as yet without a connection."""
        self._numbers[worker] = 0

    def add(self, worker: int, difference: int) -> None:
        """Note that a worker's connections have become more or fewer; called by itself alone."""
        self._numbers[worker] += difference

    def has_least(self, worker: int) -> bool:
        """Tell whether no worker that serves has fewer than this one."""
        own = self._numbers[worker]
        return not any(_NOT_SERVING < each < own for each in self._numbers)
