"""A store of either kind, opened by where it is; the other kind's packages are not imported."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from broker.core.audit import ChainedEvent
from broker.core.errors import ConfigurationError, Problem
from broker.core.redis_address import RedisAddress
from broker.ports import NOT_MEASURED, Clock, Measurements, SharedCounts, Store, StoreReading
from broker.ports.contents import ContentsReading, ContentsWriting

PATIENT_SECONDS: Final = 20.0

NO_STORE: Final = (
    "there is no store yet: a broker makes it at its first start. Another one is named with"
    " --config, or its folder with --data"
)
"""What commands say that need one."""


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
    serving: bool = True,
    measurements: Measurements = NOT_MEASURED,
) -> Store:
    """Open a store for the running event loop, making it if need be and allowed.

    `on_committed` is called with every event once it is durable, maybe in another thread, and must
    not wait; the `OSError` or `ValueError` it may raise is logged. That the broker has `begun`
    before, and this is one of its processes anew, makes no new store in Redis, bears one of the
    next version, and waits a while for one that is out of reach. A command that is not `serving`
    leaves a backup one. Raises `ConfigurationError`.
    """
    if not isinstance(location, RedisAddress):
        from broker.stores.sqlite import SqliteStore

        if not may_make and not await store_exists(location):
            raise ConfigurationError([Problem(location.shown, 0, 0, NO_STORE)])
        return await SqliteStore.open(
            location.path,
            clock,
            on_committed=on_committed,
            begun=begun,
            serving=serving,
            measurements=measurements,
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


def open_contents(location: StoreLocation) -> ContentsReading:
    """Give a store to be read whole; nothing is opened before that begins."""
    if not isinstance(location, RedisAddress):
        from broker.stores.sqlite_contents import SqliteContents

        return SqliteContents(location.path)
    from broker.stores.redis_contents import RedisContents

    return RedisContents(location)


def open_draft(
    location: StoreLocation, *, replace: bool = False, as_backup: bool = False, needed: int = 0
) -> ContentsWriting:
    """Give a place to write a whole store to; nothing is opened before that begins.

    `replace` lets it take the place of another store. A file may be one `as_backup`, and has about
    `needed` bytes.
    """
    if not isinstance(location, RedisAddress):
        from broker.stores.sqlite_draft import SqliteDraft

        return SqliteDraft(location.path, replace=replace, as_backup=as_backup, needed=needed)
    from broker.stores.redis_draft import RedisDraft

    return RedisDraft(location, replace=replace)


def marks_in_nobody_s_use(location: StoreLocation) -> object:
    """Give what every write to a store changes, if it is certain that no process has it open.

    None otherwise, as always of one in Redis and of a backup. Raises `ConfigurationError`.
    """
    if isinstance(location, RedisAddress):
        return None
    from broker.stores.sqlite_contents import is_alone, marks_of

    return marks_of(location.path) if is_alone(location.path) else None


def bytes_of(location: StoreLocation) -> int:
    """Tell how large the file of a store is; 0 where that cannot be told."""
    if isinstance(location, RedisAddress) or not location.path.is_file():
        return 0
    return location.path.stat().st_size


def same_place(one: StoreLocation, other: StoreLocation) -> bool:
    """Tell whether two locations are of the same store, as far as they show it."""
    if isinstance(one, RedisAddress) or isinstance(other, RedisAddress):
        return one.shown == other.shown
    return one.path.resolve() == other.path.resolve()
