"""The one thread that writes to the database: what waits is committed together, batch by batch."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Any, Final, TypeVar

import apsw

from broker.core.audit import ChainedEvent
from broker.core.errors import Reason, Unavailable
from broker.core.record import record
from broker.ports import AlreadySpent, Clock, Committed, Measurements, Receipt, Stale
from broker.stores import sqlite_ledger
from broker.stores.sqlite_file import file_identity, require_same_file
from broker.stores.sqlite_ledger import Appended, PendingEntry

logger = logging.getLogger(__name__)

MAX_BATCH: Final = 512
MAX_QUEUE: Final = 4096

_UNWRITABLE: Final = "the store cannot be written"

MAX_GATHERED: Final = 64
"""So many are written at once even while every turn of the event loop brings more."""

QUIET_TURNS: Final = 4
"""So many turns of the event loop have to bring nothing: in one, those who were just answered sign;
in the next, their clients' new requests are read; then these are served. An idle turn takes a few
microseconds."""

Result = TypeVar("Result")


@record
class _Append:
    pending: PendingEntry
    future: asyncio.Future[Receipt]


@record
class _Job:
    run: Callable[[apsw.Connection], Any]
    future: asyncio.Future[Any]


class _Stop:
    pass


_Item = _Append | _Job | _Stop
_Outcome = tuple[asyncio.Future[Any], Any]


class SqliteWriter:
    """Writes for one event loop: a batch is everything that came while the one before was written.

    Who waits holds a future; one that is cancelled takes nothing out of the queue, so what was
    begun is written. Any error of SQLite fails the whole batch with `Unavailable`; any other error
    is that of one entry or job, whose future raises it.
    """

    def __init__(
        self,
        path: Path,
        connection: apsw.Connection,
        clock: Clock,
        on_committed: Callable[[ChainedEvent], None] | None,
        measurements: Measurements,
    ) -> None:
        """The writer takes the connection over and closes it in the end.

        `measurements` are told of batches in another thread.
        """
        self._path = path
        self._file = file_identity(path)
        self._connection = connection
        self._clock = clock
        self._on_committed = on_committed
        self._measurements = measurements
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[list[_Item]] = SimpleQueue()
        # Of the event loop alone: what waits, and whether the thread has a batch now.
        self._waiting: list[_Item] = []
        self._gathering = False
        self._writing = False
        self._closing = False
        self._stopped = False
        # Of the thread alone.
        self._damaged = False
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

    def busy(self) -> bool:
        """Tell whether anything waits or is being written."""
        return self._writing or bool(self._waiting)

    async def close(self) -> None:
        """Write what waits, close the connection and end the thread."""
        if not self._closing:
            self._closing = True
            while self._waiting:
                self._hand_over()
            self._queue.put([_Stop()])
        await asyncio.to_thread(self._thread.join)

    def _put(self, item: _Append | _Job) -> None:
        if self._closing or self._stopped:
            raise _unavailable("the store is closed")
        if len(self._waiting) >= MAX_QUEUE:
            raise _unavailable("too many requests wait for the store")
        self._waiting.append(item)
        if not self._writing and not self._gathering:
            self._gather()

    def _gather(self, gathered: int = 0, quiet: int = 0) -> None:
        """Hand over what waits, once some turns of the event loop have brought nothing more.

        A transaction and its sync cost far more than an entry in it, so requests that are served in
        the same turns go together. No clock is waited for.
        """
        waiting = len(self._waiting)
        quiet = 0 if waiting > gathered else quiet + 1
        self._gathering = 0 < waiting < MAX_GATHERED and quiet < QUIET_TURNS
        if self._gathering:
            self._loop.call_soon(self._gather, waiting, quiet)
        elif waiting:
            self._hand_over()

    def _hand_over(self) -> None:
        self._writing = True
        self._queue.put(self._waiting[:MAX_BATCH])
        del self._waiting[:MAX_BATCH]
        if self._stopped:
            # The thread may have ended just before and no longer look at its queue.
            self._refuse_waiting()

    def _written(self, outcomes: list[_Outcome]) -> None:
        """Answer those who waited for a batch, and begin with the next one."""
        self._writing = False
        _resolve(outcomes)
        if self._waiting and not self._gathering:
            self._gather()

    def _refuse_waiting(self) -> None:
        """Refuse all that has not come to a writer that has ended."""
        items, self._waiting = self._waiting, []
        with contextlib.suppress(Empty):
            while True:
                items += self._queue.get_nowait()
        _resolve(_refused(items, "the store is closed"))

    # Everything below runs in the thread.

    def _run(self) -> None:
        batch: list[_Item] = []
        try:
            while not any(isinstance(item, _Stop) for item in batch):
                batch = self._queue.get()
                self._write(batch)
        finally:
            self._stopped = True
            # What was not foreseen may have come before the batch was answered.
            self._answer(_refused(batch, "the store is closed"))
            self._call_loop(self._refuse_waiting)
            self._connection.close()

    def _write(self, batch: list[_Item]) -> None:
        appends = [item for item in batch if isinstance(item, _Append)]
        jobs = [item for item in batch if isinstance(item, _Job)]
        if appends:
            outcomes, written = self._append_all(appends)
            self._answer(outcomes)
            self._report(written)
        if jobs:
            self._answer([(job.future, self._run_job(job)) for job in jobs])

    def _append_all(self, appends: list[_Append]) -> tuple[list[_Outcome], list[Appended]]:
        """Write all or nothing; tell what became of each, and which events are durable now."""
        pending = [item.pending for item in appends]
        try:
            self._require_sound()
            began = perf_counter()
            appended = sqlite_ledger.append(self._connection, pending, self._clock.now())
            self._measurements.batch_written(len(pending), perf_counter() - began)
        except apsw.Error as error:
            if len(appends) == 1 or not isinstance(error, apsw.ConstraintError):
                self._note(error)
                self._measurements.batch_failed(len(appends))
                return _refused(appends, _UNWRITABLE), []
        except Exception as error:  # noqa: BLE001 - raised where the entry comes from
            if len(appends) == 1:
                return [(appends[0].future, _for_future(error))], []
        else:
            outcomes = [
                (item.future, _receipt(one)) for item, one in zip(appends, appended, strict=True)
            ]
            return outcomes, [one for one in appended if one is not None]
        # One entry is at fault, or breaks a rule of the schema; the others have no part in it.
        each = [self._append_all([item]) for item in appends]
        return list(chain(*(one[0] for one in each))), list(chain(*(one[1] for one in each)))

    def _run_job(self, job: _Job) -> Any:  # noqa: ANN401 - whatever the job gives
        try:
            self._require_sound()
            return job.run(self._connection)
        except apsw.Error as error:
            self._note(error)
            return _unavailable(_UNWRITABLE)
        except Exception as error:  # noqa: BLE001 - raised where the job comes from
            return _for_future(error)

    def _require_sound(self) -> None:
        """Raise `apsw.Error` when the file is another one, or known to be damaged."""
        require_same_file(self._path, self._file)
        if self._damaged:
            raise apsw.CorruptError("the store was found damaged: restore a backup")

    def _note(self, error: apsw.Error) -> None:
        logger.error("the store cannot be written: %s: %s", type(error).__name__, error)
        # What is damaged in one place is not written in any other: it could only get worse.
        self._damaged = self._damaged or isinstance(error, apsw.CorruptError | apsw.NotADBError)

    def _report(self, written: list[Appended]) -> None:
        """Tell the outside, which may be slow or broken, after those who wait were answered."""
        if self._on_committed is None:
            return
        for appended in written:
            try:
                self._on_committed(appended.event)
            except (OSError, ValueError):
                # What a pipe without a reader and a closed stream raise.
                logger.exception(
                    "event %d is stored, but was not passed on", appended.event.sequence
                )

    def _answer(self, outcomes: list[_Outcome]) -> None:
        """Answer a whole batch with one wake-up of the event loop."""
        self._call_loop(self._written, outcomes)

    def _call_loop(self, callback: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(callback, *arguments)


def _resolve(outcomes: list[_Outcome]) -> None:
    for future, outcome in outcomes:
        if future.done():  # whoever waited was cancelled
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _for_future(error: Exception) -> Exception:
    """Make of an error what a future can raise, which a `StopIteration` is not."""
    if not isinstance(error, StopIteration):
        return error
    fault = RuntimeError("a StopIteration was raised where the store is written")
    fault.__cause__ = error
    return fault


def _receipt(appended: Appended | None) -> Receipt:
    if appended is None:
        return Stale()
    if appended.already_spent:
        return AlreadySpent(appended.event.sequence)
    return Committed(appended.event.sequence)


def _refused(items: Sequence[_Item], description: str) -> list[_Outcome]:
    futures = [item.future for item in items if not isinstance(item, _Stop)]
    return [(future, _unavailable(description)) for future in futures]


def _unavailable(description: str) -> Unavailable:
    return Unavailable(Reason.STORE_UNAVAILABLE, description)
