"""A store of either kind, opened by where it is; the other kind's packages are not imported."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from broker.core.audit import ChainedEvent
from broker.core.errors import ConfigurationError, Problem
from broker.core.redis_address import RedisAddress
from broker.ports import NOT_MEASURED, Clock, Measurements, SharedCounts, Store, StoreReading

PATIENT_SECONDS: Final = 20.0


class SqliteLocation(Protocol):
    """Where a store in one SQLite file is."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def shown(self) -> str:
        """What messages name it by."""
        ...


StoreLocation: TypeAlias = SqliteLocation | RedisAddress


class OpenCounts(SharedCounts, Protocol):
    """Shared counts that are let go in the end."""

    async def close(self) -> None:
        """Say that this process is gone, and let go."""
        ...


async def open_store(
    location: StoreLocation,
    clock: Clock,
    *,
    on_committed: Callable[[ChainedEvent], None] | None = None,
    may_make: bool = True,
    begun: bool = False,
    measurements: Measurements = NOT_MEASURED,
) -> Store:
    """Open a store for the running event loop, making it if need be and allowed.

    `on_committed` is called with every event once it is durable, maybe in another thread, and must
    not wait; the `OSError` or `ValueError` it may raise is logged. That the broker has `begun`
    before, and this is one of its processes anew, makes no new store in Redis, bears one of the
    next version, and waits a while for one that is out of reach. Raises `ConfigurationError`.
    """
    if not isinstance(location, RedisAddress):
        from broker.stores.sqlite import SqliteStore

        if not may_make and not await store_exists(location):
            raise ConfigurationError([Problem(location.shown, 0, 0, "there is no store yet")])
        return await SqliteStore.open(
            location.path, clock, on_committed=on_committed, measurements=measurements
        )
    from broker.stores.redis import RedisStore

    return await RedisStore.open(
        location,
        clock,
        on_committed=on_committed,
        may_make=may_make and not begun,
        patient_seconds=PATIENT_SECONDS if begun else 0,
        has_begun=begun,
        measurements=measurements,
    )


async def store_exists(location: StoreLocation) -> bool:
    """Tell whether there is a store.

    Raises `ConfigurationError` for one in Redis that this version cannot read, or out of reach.
    """
    if not isinstance(location, RedisAddress):
        return await asyncio.to_thread(location.path.exists)
    from broker.stores.redis import store_exists as exists_in_redis

    return await exists_in_redis(location)


def open_reading(location: StoreLocation) -> StoreReading:
    """Open a store for reading, in any event loop.

    Raises `ConfigurationError` where there is no store that can be read; for one in Redis, its
    first query does.
    """
    if not isinstance(location, RedisAddress):
        from broker.stores.sqlite_file import require_readable
        from broker.stores.sqlite_reading import SqliteReading

        require_readable(location.path)
        return SqliteReading(location.path)
    from broker.stores.redis_reading import RedisReading

    return RedisReading(location)


def open_shared_counts(location: StoreLocation) -> OpenCounts:
    """Give the counts that the processes of a store share; nothing is opened before the first."""
    if not isinstance(location, RedisAddress):
        from broker.stores.sqlite_limits import SqliteLimits

        return SqliteLimits(location.path)
    from broker.stores.redis_limits import RedisLimits

    return RedisLimits(location)
