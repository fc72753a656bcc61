"""The one thread that writes to the database: what waits is committed together, batch by batch."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

import apsw

from broker.core.audit import ChainedEvent
from broker.core.errors import Reason, Unavailable
from broker.ports import AlreadySpent, Clock, Committed, Receipt, Stale
from broker.stores import sqlite_ledger
from broker.stores.sqlite_file import file_identity, require_same_file
from broker.stores.sqlite_ledger import Appended, PendingEntry

logger = logging.getLogger(__name__)

MAX_BATCH: Final = 512
MAX_QUEUE: Final = 4096

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Append:
    pending: PendingEntry
    future: asyncio.Future[Receipt]


@dataclass(frozen=True, slots=True)
class _Job:
    run: Callable[[apsw.Connection], Any]
    future: asyncio.Future[Any]


class _Stop:
    pass


_Outcome = tuple[asyncio.Future[Any], Any]


class SqliteWriter:
    """Writes for one event loop: a batch is everything that came while the one before was written.

    Who waits holds a future; one that is cancelled takes nothing out of the queue, so what was
    begun is written. Any error of SQLite fails the whole batch with `Unavailable`.
    """

    def __init__(
        self,
        path: Path,
        connection: apsw.Connection,
        clock: Clock,
        on_committed: Callable[[ChainedEvent], None] | None,
    ) -> None:
        """The writer takes the connection over and closes it in the end."""
        self._path = path
        self._file = file_identity(path)
        self._connection = connection
        self._clock = clock
        self._on_committed = on_committed
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Append | _Job | _Stop] = SimpleQueue()
        self._closing = False
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def append(self, pending: PendingEntry) -> asyncio.Future[Receipt]:
        """Queue an entry for the ledger. Raises `Unavailable`, as does the future."""
        future: asyncio.Future[Receipt] = self._loop.create_future()
        self._put(_Append(pending, future))
        return future

    def run(self, job: Callable[[apsw.Connection], Result]) -> asyncio.Future[Result]:
        """Queue a job that brings its own transaction. Raises `Unavailable`, as does the future."""
        future: asyncio.Future[Result] = self._loop.create_future()
        self._put(_Job(job, future))
        return future

    async def close(self) -> None:
        """Write what waits, close the connection and end the thread."""
        if not self._closing:
            self._closing = True
            self._queue.put(_Stop())
        await asyncio.to_thread(self._thread.join)

    def _put(self, item: _Append | _Job) -> None:
        if self._closing or self._stopped:
            raise _unavailable("the store is closed")
        if self._queue.qsize() >= MAX_QUEUE:
            raise _unavailable("too many requests wait for the store")
        self._queue.put(item)
        if self._stopped:
            # The thread may have ended after the check above and no longer look at its queue.
            self._refuse_waiting()

    # Everything below runs in the thread, `_resolve` excepted.

    def _run(self) -> None:
        try:
            while self._write(self._take()):
                pass
        finally:
            self._stopped = True
            self._refuse_waiting()
            self._connection.close()

    def _take(self) -> list[_Append | _Job | _Stop]:
        """Wait for something to do and take all that has come by then."""
        first = self._queue.get()
        others = min(self._queue.qsize(), MAX_BATCH - 1)
        return [first, *(self._queue.get() for _ in range(others))]

    def _write(self, batch: list[_Append | _Job | _Stop]) -> bool:
        """Write a batch; tell whether to go on."""
        appends = [item for item in batch if isinstance(item, _Append)]
        if appends:
            self._append_all(appends)
        for item in batch:
            if isinstance(item, _Job):
                self._run_job(item)
        return not any(isinstance(item, _Stop) for item in batch)

    def _append_all(self, appends: list[_Append]) -> None:
        pending = [item.pending for item in appends]
        try:
            require_same_file(self._path, self._file)
            written = sqlite_ledger.append(self._connection, pending, self._clock.now())
        except apsw.ConstraintError as error:
            if len(appends) == 1:
                self._refuse([appends[0].future], error)
                return
            # One entry breaks a rule of the schema; the others have no part in it.
            for item in appends:
                self._append_all([item])
        except apsw.Error as error:
            self._refuse([item.future for item in appends], error)
        else:
            futures = [item.future for item in appends]
            self._answer(list(zip(futures, map(_receipt, written), strict=True)))
            self._report(written)

    def _run_job(self, job: _Job) -> None:
        try:
            require_same_file(self._path, self._file)
            result = job.run(self._connection)
        except apsw.Error as error:
            self._refuse([job.future], error)
        else:
            self._answer([(job.future, result)])

    def _report(self, written: list[Appended | None]) -> None:
        """Tell the outside, which may be slow or broken, after those who wait were answered."""
        if self._on_committed is None:
            return
        for appended in filter(None, written):
            try:
                self._on_committed(appended.event)
            except (OSError, ValueError):
                # What a pipe without a reader and a closed stream raise.
                logger.exception(
                    "event %d is stored, but was not passed on", appended.event.sequence
                )

    def _refuse(self, futures: list[asyncio.Future[Any]], error: apsw.Error) -> None:
        logger.error("the store cannot be written: %s: %s", type(error).__name__, error)
        self._answer([(future, _unavailable("the store cannot be written")) for future in futures])

    def _refuse_waiting(self) -> None:
        """Refuse all that is still in the queue of a writer that has ended."""
        futures: list[asyncio.Future[Any]] = []
        with contextlib.suppress(Empty):
            while True:
                item = self._queue.get_nowait()
                if not isinstance(item, _Stop):
                    futures.append(item.future)
        self._answer([(future, _unavailable("the store is closed")) for future in futures])

    def _answer(self, outcomes: list[_Outcome]) -> None:
        """Answer a whole batch with one wake-up of the event loop."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_resolve, outcomes)


def _resolve(outcomes: list[_Outcome]) -> None:
    for future, outcome in outcomes:
        if future.done():  # whoever waited was cancelled
            continue
        if isinstance(outcome, Unavailable):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _receipt(appended: Appended | None) -> Receipt:
    if appended is None:
        return Stale()
    if appended.already_spent:
        return AlreadySpent(appended.event.sequence)
    return Committed(appended.event.sequence)


def _unavailable(description: str) -> Unavailable:
    return Unavailable(Reason.STORE_UNAVAILABLE, description)
