"""Long work as a generator: whoever runs it decides how much of it is done at a time."""

from collections.abc import Generator
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Steps: TypeAlias = Generator[None, None, T]
"""Work that pauses at every `yield` and returns its result."""


def finish(steps: Steps[T]) -> T:
    """Do all of the work at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
