"""The one task that writes to Redis: what waits is written together, batch by batch."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Any, Final, TypeVar

from broker.core.audit import AuditEvent, ChainedEvent, SerializedEvent
from broker.core.errors import Reason, Unavailable
from broker.core.record import record
from broker.ports import NOT_MEASURED, Clock, Measurements, Receipt
from broker.stores import redis_keys
from broker.stores.gathering import gather
from broker.stores.redis_batch import Batch, Head, Moved, There
from broker.stores.redis_ledger import EventAppending, PendingEntry, Prepared, prepare
from broker.stores.redis_link import Link, LinkLost, LinkRefused
from broker.stores.redis_passing_on import PassingOn
from broker.stores.redis_scripts import FORGET
from broker.stores.redis_session import Session

logger = logging.getLogger(__name__)

MAX_BATCH: Final = 512
MAX_QUEUE: Final = 4096
MAX_GATHERED: Final = 64
QUIET_TURNS: Final = 4
"""As in `broker.stores.sqlite_writer`: so many turns of the event loop have to bring nothing."""

TURN_SECONDS: Final = 5.0
"""For so long is tried to write behind a head that others move."""

LEAST_TURNS: Final = 4
"""So often is it tried, however slow the server is: a head moves, and a token is found spent."""

IDLE_SECONDS: Final = 5.0
"""So long after the last write the server is looked at without one."""

# What is over is looked for once in so many events, and more is removed than can have come.
_FORGOTTEN_EVERY: Final = 64
_FORGOTTEN_BESIDES: Final = 16

_UNWRITABLE: Final = "the store cannot be written"

Result = TypeVar("Result")
Make = Callable[[Link, int], Awaitable[Batch | None]]
"""Makes a change by the rows of an epoch; None when it does not fit them."""


@record
class _Append:
    pending: PendingEntry
    future: asyncio.Future[Receipt]


@record
class _Job:
    run: Callable[[Session], Awaitable[Any]]
    future: asyncio.Future[Any]


_Item = _Append | _Job


class RedisWriter:
    """Writes for one event loop: a batch is everything that came while the one before was written.

    Who waits holds a future; one that is cancelled takes nothing out of the queue, so what was
    begun is written. What the server does not do fails the whole batch with `Unavailable`; any
    other error is that of one entry or job, whose future raises it.
    """

    def __init__(
        self,
        session: Session,
        clock: Clock,
        on_committed: Callable[[ChainedEvent], None] | None,
        measurements: Measurements = NOT_MEASURED,
    ) -> None:
        """The writer takes the session over and closes it in the end."""
        self._session = session
        self._clock = clock
        self._passing_on = PassingOn(on_committed)
        self._measurements = measurements
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Item] = []
        self._writing = False
        self._closing = False
        self._reachable = True
        self._woken = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="redis-writer")

    def append(self, pending: PendingEntry) -> asyncio.Future[Receipt]:
        """Queue an entry for the ledger. Raises `Unavailable`, as does the future."""
        future: asyncio.Future[Receipt] = self._loop.create_future()
        self._put(_Append(pending, future))
        return future

    def run(self, job: Callable[[Session], Awaitable[Result]]) -> asyncio.Future[Result]:
        """Queue a job that writes by the session. Raises `Unavailable`, as does the future."""
        future: asyncio.Future[Result] = self._loop.create_future()
        self._put(_Job(job, future))
        return future

    async def change(self, make: Make, events: Sequence[AuditEvent] = ()) -> bool:
        """Make a change with its events at once; tell whether it was made.

        Raises `Unavailable`, and `ValueError` or `TypeError` for an event that is no JSON.
        """
        serialized = [(event, SerializedEvent.of(event)) for event in events]

        async def prepared(head: Head, _spent: set[bytes]) -> Prepared | None:
            batch = await make(await self._session.link(), head.epoch)
            if batch is None:
                return None
            appending = EventAppending(batch, head.position)
            for event, text in serialized:
                appending.append(event, text)
            appending.finish()
            return Prepared(batch, (), appending.events)

        async def job(session: Session) -> bool:
            # A change is refused by what is there, not by what was seen a while ago.
            session.forget_head()
            made = await self._behind_head(prepared)
            if made is not None:
                await self._finish(made.events)
            return made is not None

        return await self.run(job)

    def busy(self) -> bool:
        """Tell whether anything waits or is being written."""
        return self._writing or bool(self._waiting)

    async def close(self) -> None:
        """Write what waits, and let go of the server."""
        self._closing = True
        self._woken.set()
        await asyncio.shield(self._task)

    def _put(self, item: _Item) -> None:
        if self._closing:
            raise _unavailable("the store is closed")
        if len(self._waiting) >= MAX_QUEUE:
            raise _unavailable("too many requests wait for the store")
        self._waiting.append(item)
        self._woken.set()

    async def _run(self) -> None:
        try:
            while not (self._closing and not self._waiting):
                await self._woken_or_due()
                self._woken.clear()
                while self._waiting:
                    await gather(
                        lambda: len(self._waiting), at_most=MAX_GATHERED, quiet_turns=QUIET_TURNS
                    )
                    batch = self._waiting[:MAX_BATCH]
                    del self._waiting[:MAX_BATCH]
                    self._writing = True
                    await self._write(batch)
                    self._writing = False
                if self._closing:
                    break
        finally:
            # What was not foreseen may have ended the task.
            self._closing = True
            _refuse(self._waiting, "the store is closed")
            await self._pass_on()
            await self._session.close()

    async def _woken_or_due(self) -> None:
        """Wait until there is something to write, and look at the server now and then meanwhile.

        Else one that writes nothing would go on reading from a primary of before.
        """
        while not self._woken.is_set():
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                try:
                    await self._session.settle()
                except (LinkLost, LinkRefused) as error:
                    self._note(error)
                else:
                    self._reachable = True

    async def _write(self, batch: Sequence[_Item]) -> None:
        appends = [item for item in batch if isinstance(item, _Append)]
        if appends:
            await self._append_all(appends)
        for item in batch:
            if isinstance(item, _Job):
                await self._run_job(item)

    async def _append_all(self, appends: Sequence[_Append]) -> None:
        pending = [item.pending for item in appends]

        async def make(head: Head, spent: set[bytes]) -> Prepared:
            return prepare(pending, head, spent)

        began = perf_counter()
        try:
            prepared = await self._behind_head(make)
        except (LinkLost, LinkRefused) as error:
            self._note(error)
            self._measurements.batch_failed(len(appends))
            _refuse(appends, _UNWRITABLE)
            return
        except Exception as error:  # noqa: BLE001 - raised where the entries come from
            for item in appends:
                _resolve(item.future, error)
            return
        if prepared is not None:
            self._measurements.batch_written(len(pending), perf_counter() - began)
            for item, receipt in zip(appends, prepared.receipts, strict=True):
                _resolve(item.future, receipt)
            await self._finish(prepared.events)

    async def _run_job(self, item: _Job) -> None:
        outcome: object
        try:
            outcome = await item.run(self._session)
        except (LinkLost, LinkRefused) as error:
            self._note(error)
            outcome = _unavailable(_UNWRITABLE)
        except Exception as error:  # noqa: BLE001 - raised where the job comes from
            outcome = error
        _resolve(item.future, outcome)

    async def _behind_head(
        self, make: Callable[[Head, set[bytes]], Awaitable[Prepared | None]]
    ) -> Prepared | None:
        """Write behind the head, however often others move it; None when it does not fit.

        `make` is told which keys were used before. Raises as the session.
        """
        until = self._loop.time() + TURN_SECONDS
        spent: set[bytes] = set()
        tried = False
        turns = 0
        while True:
            try:
                prepared = await make(await self._session.head(), spent)
            except LinkLost:
                # Nothing was sent that may not be sent twice, and the connection may be an old one.
                if tried:
                    raise
                tried = True
                continue
            if prepared is None:
                await self._session.settle()
                return None
            batch = prepared.batch
            try:
                outcome = await self._session.write(batch)
            except (LinkLost, LinkRefused):
                self._passing_on.doubt(prepared.events)
                raise
            self._reachable = True
            if isinstance(outcome, There):
                return None
            if not isinstance(outcome, Moved):
                return prepared
            spent.update(batch.spends[place].key for place in outcome.spent)
            turns += 1
            if turns >= LEAST_TURNS and self._loop.time() > until:
                raise LinkLost("others write all the time")

    async def _finish(self, events: Sequence[ChainedEvent]) -> None:
        """Tell the outside of events, after those who wait were answered; forget what is over."""
        if events:
            await self._pass_on(events)
            await self._forget(events)

    async def _pass_on(self, events: Sequence[ChainedEvent] = ()) -> None:
        """Pass events on, behind those in doubt."""
        try:
            if self._passing_on.in_doubt:
                await self._passing_on.settle(await self._session.link())
        except (LinkLost, LinkRefused) as error:
            # All of them come another time, in their order.
            self._note(error)
            self._passing_on.doubt(events)
        else:
            self._passing_on.pass_on(events)

    async def _forget(self, events: Sequence[ChainedEvent]) -> None:
        first, last = events[0].sequence - 1, events[-1].sequence
        if first // _FORGOTTEN_EVERY == last // _FORGOTTEN_EVERY:
            return
        most = 2 * max(_FORGOTTEN_EVERY, len(events)) + _FORGOTTEN_BESIDES
        # Whole minutes, since the ends of tokens are many.
        before = int(self._clock.now()) // 60 * 60
        try:
            link = await self._session.link()
            await link.run(
                FORGET,
                [redis_keys.SPENDS, redis_keys.STATE],
                [redis_keys.FORGOTTEN_UNTIL, before, most],
            )
        except (LinkLost, LinkRefused) as error:
            # What was written is written; this is done another time.
            self._note(error)

    def _note(self, error: Exception) -> None:
        # Once, until it is reachable again: every request fails meanwhile.
        level = logging.ERROR if self._reachable else logging.DEBUG
        self._reachable = False
        logger.log(level, "the store cannot be written: %s", error)


def _resolve(future: asyncio.Future[Any], outcome: object) -> None:
    if future.done():  # whoever waited was cancelled
        return
    if isinstance(outcome, StopIteration):
        # The one error that a future cannot raise.
        outcome = RuntimeError("a StopIteration was raised where the store is written")
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _refuse(items: Sequence[_Item], description: str) -> None:
    for item in items:
        _resolve(item.future, _unavailable(description))


def _unavailable(description: str) -> Unavailable:
    return Unavailable(Reason.STORE_UNAVAILABLE, description)
