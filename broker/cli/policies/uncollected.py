"""Python's collector of cyclic garbage, kept from walking over what stays while events are read."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_BETWEEN_LOOKS: Final = 20_000


@contextmanager
def uncollected() -> Iterator[None]:
    """Exempt all that exists now from collections until the block ends, and look rarely.

    An event and its decision hold no cycles: they are freed without the collector.
    """
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_BETWEEN_LOOKS)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
