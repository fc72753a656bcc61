"""Python's collector of cyclic garbage, kept from walking over policies that stay.

A full collection visits every object: with 10,000 policies that is some 50 ms in which nothing else
runs, and taking in a set causes several. Policies contain no cycles, and what is unused of them is
freed without the collector.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_HARDLY_EVER: Final = 1_000_000
_LITTLE_BY_LITTLE: Final = (2_000, 2)
"""While a set is taken in: a look at so many young objects takes less than a millisecond, and what
was looked at a few times is old."""

_BETWEEN_LOOKS: Final = 20_000
"""So many more objects may exist before the young ones are looked at; a request makes some 50."""


def set_aside() -> None:
    """Exempt all that exists now from collections, once its garbage is gone; for a start.

    Requests make hardly any cyclic garbage, so that it is looked for less often than Python would.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_BETWEEN_LOOKS)


@contextmanager
def setting_aside() -> Iterator[None]:
    """Exempt what the block makes and keeps, without a full collection in the meantime.

    Cyclic garbage of requests is collected as usual, but for a little that is just under way.
    """
    usual = gc.get_threshold()
    gc.collect()
    gc.set_threshold(*_LITTLE_BY_LITTLE, _HARDLY_EVER)
    try:
        yield
    finally:
        gc.collect(1)
        gc.freeze()
        gc.set_threshold(*usual)
