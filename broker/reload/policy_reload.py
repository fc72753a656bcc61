"""Putting policy files in force: at the start, after a change, and when somebody asks.

All or nothing. A set that does not load, or whose tests fail, leaves the one in force as it is; one
that is empty or drops a deny policy is taken only when that is forced.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Final

from broker.core.audit import AuditEvent
from broker.core.errors import ConfigurationError, Problem, Unavailable
from broker.core.policy import PolicySet
from broker.core.policy_changes import EMPTIES, PolicyChanges, compare, objection
from broker.ports import (
    NOT_MEASURED,
    Clock,
    Entry,
    GivenIds,
    Identifiers,
    Ledger,
    Measurements,
    PolicyFault,
    Rejected,
    Reloaded,
    ReloadOutcome,
    Unchanged,
)
from broker.reload import reload_record
from broker.reload.kept_sets import KeptSets
from broker.reload.reading import LoadedSet, PolicyReader, Reading, Refused
from broker.reload.slices import finish_in_slices, serving
from broker.reload.swap import PolicySwap

START: Final = "start"
"""The actor of what a start does to the policies."""

CLOSE_SECONDS: Final = 5.0
"""How long a reload that is under way may hold up the end of the broker."""

MAX_TOLD: Final = 200
"""How many ids that are taken are told of."""

GIVEN_ID: Final = (
    "service account `{}`: the id was given to an account that was made while the broker ran, and"
    " is never given to another; choose another one"
)

_OUTCOMES: Final = {Reloaded: "reloaded", Unchanged: "unchanged", Rejected: "rejected"}

logger = logging.getLogger(__name__)


async def keep_to_oneself(_fault: PolicyFault | None) -> None:
    """Tell nobody."""


class PolicyReload:
    """Reloads the policies of a running broker.

    Implements the ports `PolicyStatus` and `PolicyReloading`. `taking_in` is entered around the
    work that makes a set; `fault_changed` is told every fault, and its end; `given` knows the ids
    that no file may define.
    """

    def __init__(  # noqa: PLR0913 - what a reload has to do with
        self,
        *,
        reader: PolicyReader,
        kept: KeptSets,
        swap: PolicySwap,
        ledger: Ledger,
        clock: Clock,
        identifiers: Identifiers,
        taking_in: Callable[[], AbstractContextManager[None]] = nullcontext,
        fault_changed: Callable[[PolicyFault | None], Awaitable[None]] = keep_to_oneself,
        given: GivenIds | None = None,
        measurements: Measurements = NOT_MEASURED,
    ) -> None:
        self._reader = reader
        self._kept = kept
        self._swap = swap
        self._ledger = ledger
        self._clock = clock
        self._identifiers = identifiers
        self._taking_in = taking_in
        self._fault_changed = fault_changed
        self._given = given
        self._measurements = measurements
        self._lock = asyncio.Lock()
        self._under_way: set[asyncio.Task[ReloadOutcome]] = set()
        self._fault: PolicyFault | None = None
        self._recorded: Refused | None = None
        self._latest: Reading | None = None

    def fault(self) -> PolicyFault | None:
        """Tell why the files are not in force; None when they are."""
        return self._fault

    def latest(self) -> Reading | None:
        """Give the reading that was tried last."""
        return self._latest

    def inherit(self, fault: PolicyFault | None) -> None:
        """Take over what a predecessor of this process knew of the files, and has recorded."""
        if self._latest is None:
            self._fault = fault
            self._recorded = Refused(fault.problems, fault.count) if fault else None

    async def note_followed(self) -> None:
        """Notice that another broker of the store has put in force what the files here say.

        Its operator meant what was refused here for want of that.
        """
        read = self._latest.outcome if self._latest else None
        if self._fault is None or not isinstance(read, LoadedSet):
            return
        if read.policy_set.version == self._swap.in_force().version:
            await self._mended()

    async def start(self, reading: Reading) -> None:
        """Put the first set in force: the one read, or the last that ran when that is no good.

        Raises `ConfigurationError` with the problems of the files when there is no last one, and
        `Unavailable`.
        """
        self._latest = reading
        read, new_ids = await self._without_given_ids(reading.outcome, frozenset())
        before = await self._kept.last_version()
        if before is None and isinstance(read, Refused):
            raise ConfigurationError(read.problems)
        if isinstance(read, LoadedSet) and before in (None, read.policy_set.version):
            if not await self._swap.put_in_force(read, None, new_ids):
                await self.start(reading)
            return
        last = await self._kept.last()
        if isinstance(read, LoadedSet):
            old = last.policy_set if last else PolicySet({}, {}, {}, {})
            changes = await self._compare(replace(old, version=before or ""), read.policy_set)
            if not (last and changes.empties):
                event = self._reloaded(START, changes, forced=False)
                if not await self._swap.put_in_force(read, event, new_ids):
                    await self.start(reading)
                    return
                reload_record.log_reloaded(START, changes)
                return
            read = Refused.because(str(self._reader.folder), EMPTIES)
        if last is None:
            raise ConfigurationError(read.problems)
        await self._swap.put_in_force(last, None)
        await self._reject(read, START)

    async def reload(self, *, forced: bool, actor: str, seen: str | None = None) -> ReloadOutcome:
        """Read the files and put them in force, if they are good and nothing speaks against it.

        `forced` also takes a set that is empty or drops a deny policy; `actor` goes into the audit.
        With the fingerprint `seen` nothing is read when these very files were tried meanwhile.
        Goes on when the caller is cancelled. Raises `Unavailable` when the store does not take the
        new set, which is not in force then.
        """
        task = asyncio.create_task(self._reload(seen, actor, forced=forced))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Finish what is under way; what only reads is given up after a while."""
        if self._under_way:
            _, reading = await asyncio.wait(self._under_way, timeout=CLOSE_SECONDS)
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
        await self._swap.close()

    async def _reload(self, seen: str | None, actor: str, *, forced: bool) -> ReloadOutcome:
        async with self._lock:
            if seen is not None and self._latest is not None and self._latest.fingerprint == seen:
                return Unchanged(self._swap.in_force().version)
            with self._taking_in():
                reading = await self._reader.read()
                self._latest = reading
                try:
                    outcome = await self._take(reading.outcome, actor, forced=forced)
                    self._measurements.policies_read(_OUTCOMES[type(outcome)])
                except Unavailable:
                    # The watch compares with the fingerprint: it is to try again.
                    self._latest = replace(reading, fingerprint=None)
                    raise
                if isinstance(reading.outcome, LoadedSet):
                    # All have it now.
                    self._latest = replace(reading, outcome=replace(reading.outcome, pickled=b""))
                return outcome

    async def _take(self, read: LoadedSet | Refused, actor: str, *, forced: bool) -> ReloadOutcome:
        old = self._swap.in_force()
        read, new_ids = await self._without_given_ids(read, old.service_accounts.keys())
        if isinstance(read, Refused):
            return await self._reject(read, actor)
        changes = await self._compare(old, read.policy_set)
        reason = None if forced else objection(changes)
        if reason is not None:
            return await self._reject(Refused.because(str(self._reader.folder), reason), actor)
        if changes.new_version == changes.old_version:
            # Lines may have moved, which explanations show and nothing else.
            await self._swap.replace(read)
            await self._mended()
            return Unchanged(changes.new_version)
        event = self._reloaded(actor, changes, forced=forced)
        if not await self._swap.put_in_force(read, event, new_ids):
            # An account was made meanwhile; now it is found.
            return await self._take(read, actor, forced=forced)
        await self._mended()
        reload_record.log_reloaded(actor, changes)
        return Reloaded(changes)

    async def _without_given_ids(
        self, read: LoadedSet | Refused, known: AbstractSet[str]
    ) -> tuple[LoadedSet | Refused, Sequence[str]]:
        """Refuse a set that gives the id of an account of the store to another (attacks row 144).

        `known` are the ids that the set in force has already; those that are new come second.
        Raises `Unavailable`.
        """
        if self._given is None or isinstance(read, Refused):
            return read, ()
        new = sorted(read.policy_set.service_accounts.keys() - known)
        given = await self._given.given_ids(new) if new else frozenset()
        if not given:
            return read, new
        problems = [
            Problem(str(self._reader.folder), 0, 0, GIVEN_ID.format(each)) for each in sorted(given)
        ]
        return Refused(tuple(problems[:MAX_TOLD]), len(problems)), ()

    async def _compare(self, old: PolicySet, new: PolicySet) -> PolicyChanges:
        return await finish_in_slices(
            compare(old, new, self._clock.now()), partial(serving, self._ledger)
        )

    async def _reject(self, refused: Refused, actor: str) -> Rejected:
        version, now = self._swap.in_force().version, self._clock.now()
        since = self._fault.since if self._fault else now
        self._fault = PolicyFault(since, refused.problems, refused.count)
        await self._fault_changed(self._fault)
        reload_record.log_rejected(actor, version, refused)
        # One event for the same problems, however often a file is saved.
        if refused != self._recorded:
            event_id = self._identifiers.new(now)
            event = reload_record.rejected(event_id, now, actor, version, refused)
            try:
                await self._ledger.commit(Entry(event))
            except Unavailable:
                logger.error("the store does not take the event of the rejected policy files")  # noqa: TRY400
            else:
                self._recorded = refused
        return Rejected(version, refused.problems, refused.count)

    async def _mended(self) -> None:
        if self._fault is not None:
            logger.warning("the policy files are in force again")
            self._fault = None
            await self._fault_changed(None)
        self._recorded = None

    def _reloaded(self, actor: str, changes: PolicyChanges, *, forced: bool) -> AuditEvent:
        now = self._clock.now()
        event_id = self._identifiers.new(now)
        return reload_record.reloaded(event_id, now, actor, changes, forced=forced)
