"""Settings in, a running broker out: how its parts are put together, in order."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import SystemRandom

from starlette.types import ASGIApp

from broker.audit.head_key import open_head_key
from broker.audit.heads import AuditHeads
from broker.audit.retention import Retention
from broker.audit.verification import LogVerification
from broker.bootstrap.ending import begin, cancel
from broker.bootstrap.endpoints import endpoints_of
from broker.bootstrap.for_accounts import for_accounts
from broker.bootstrap.limits import begin_limits
from broker.bootstrap.measured import Measured
from broker.bootstrap.store_parts import load_store_key, open_signing_keys, policy_parameters
from broker.bootstrap.traced import begin_traces
from broker.core.errors import ConfigurationError, Problem, Unavailable
from broker.core.refusal_counts import RefusalCounts
from broker.event_lines import EventLines
from broker.grants.counted_refusals import CountedRefusals
from broker.grants.token_exchange import TokenExchange
from broker.held_accounts import HeldAccounts
from broker.held_state import HeldState
from broker.http.app import build_app
from broker.issuer_keys import HttpIssuerKeys
from broker.ports import Clock, Store
from broker.registry.deciding_accounts import PoliciesWithAccounts
from broker.registry.policies_with_blocks import PoliciesWithBlocks
from broker.reload.candidate import CandidateSimulation
from broker.reload.collector import setting_aside
from broker.reload.following import Following
from broker.reload.held import HeldPolicies
from broker.reload.kept_sets import KeptSets
from broker.reload.leading import Leading, LinkedFollowers
from broker.reload.policy_reload import PolicyReload, keep_to_oneself
from broker.reload.reading import PolicyReader, Reading, Refused
from broker.reload.seal import KEY_PURPOSE, Seal
from broker.reload.swap import PolicySwap
from broker.reload.watch import SETTLE, PolicyWatch
from broker.settings import Settings
from broker.shared_output import OutputLock
from broker.signing.sealed_accounts import SealedAccounts
from broker.signing.sealed_issuer_keys import SealedIssuerKeys
from broker.signing.sealed_rows import SealedBox
from broker.stores.opening import open_store, store_exists
from broker.system import SystemClock, UuidV7Identifiers
from broker.workers.link import Link
from broker.workers.words import LEADER


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker that is running: its endpoints, and the ends that tests and tools hold."""

    app: ASGIApp
    policies: HeldPolicies
    reload: PolicyReload
    store: Store
    issuer_keys: HttpIssuerKeys
    counted_refusals: CountedRefusals
    audit_heads: AuditHeads


@dataclass(frozen=True, slots=True)
class Worker:
    """The part of a process in its broker; one that is alone has all of it."""

    link: Link | None = None
    """The line to the other processes; None when there are none."""

    broker_starts: bool = True
    """Whether the whole broker starts with it, and not this worker alone."""

    event_lock: OutputLock | None = None
    """What the processes exclude one another with when they print their events."""

    measured: Measured = field(default_factory=Measured.alone)
    """The figures that the processes share."""

    @property
    def has_duties(self) -> bool:
        """Whether it does what one does for all: it reads the policy files and signs heads."""
        return self.link is None or self.link.number == LEADER

    @property
    def reads_first(self) -> bool:
        """Whether it puts the first policies in force; the others follow the store."""
        return self.has_duties and self.broker_starts


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    clock: Clock | None = None,
    dev_issuers: Mapping[str, str] | None = None,
    settle: float = SETTLE,
    owns_process: bool = False,
    worker: Worker | None = None,
) -> AsyncIterator[Broker]:
    """Run a broker until the block ends, without listening anywhere.

    `dev_issuers` are the dev platform's URLs by name; with them policies/dev/ is loaded too.
    Changed policy files are read after `settle` seconds without a change. A broker that owns its
    process takes care of Python's garbage collector. Of several processes each runs the `worker`
    that it is. Raises `ConfigurationError` with every problem when it cannot start.
    """
    clock, worker = clock or SystemClock(), worker or Worker()
    taking_in = setting_aside if owns_process else contextlib.nullcontext
    async with AsyncExitStack() as stack:
        try:
            broker = await _started(stack, settings, clock, dev_issuers, settle, worker, taking_in)
        except Unavailable as error:
            message = f"{error.description}: the log says why; a damaged one needs its backup"
            problem = Problem(settings.store.shown, 0, 0, message)
            raise ConfigurationError([problem]) from None
        yield broker


async def _started(
    stack: AsyncExitStack,
    settings: Settings,
    clock: Clock,
    dev_issuers: Mapping[str, str] | None,
    settle: float,
    worker: Worker,
    taking_in: Callable[[], AbstractContextManager[None]],
) -> Broker:
    """Start all parts; what ends them in the end is put on the stack. Raises `Unavailable`."""
    identifiers = UuidV7Identifiers()
    reader = PolicyReader(settings.policies, policy_parameters(settings, dev_issuers), clock)
    stack.push_async_callback(reader.close)
    reading = await _first_reading(settings, reader) if worker.reads_first else None
    sink = stack.enter_context(_event_lines(settings, worker))
    store = await open_store(
        settings.store,
        clock,
        on_committed=sink,
        begun=not worker.broker_starts,
        measurements=worker.measured.measurements,
    )
    stack.push_async_callback(store.close)
    master_key = await load_store_key(settings, store, may_create=settings.loopback)
    keyring, upkeep = await open_signing_keys(settings, store, master_key, clock, identifiers)
    await upkeep.keep_up()
    box = SealedBox(master_key)
    issuer_keys = HttpIssuerKeys(
        clock,
        broker_on_loopback=settings.loopback,
        rng=SystemRandom().random,
        measurements=worker.measured.measurements,
        keeping=SealedIssuerKeys(store, box),
    )
    stack.push_async_callback(issuer_keys.close)
    policies = HeldPolicies()
    kept = KeptSets(store, Seal(master_key.derive(KEY_PURPOSE)), reader, clock)
    followers = LinkedFollowers(worker.link) if worker.link and worker.has_duties else None
    swap = PolicySwap(policies, kept, store, worker.measured.swapped(clock, issuer_keys), followers)
    reload = PolicyReload(
        reader=reader,
        kept=kept,
        swap=swap,
        ledger=store,
        clock=clock,
        identifiers=identifiers,
        taking_in=taking_in,
        fault_changed=followers.fault_changed if followers else keep_to_oneself,
        given=store,
        measurements=worker.measured.measurements,
    )
    stack.push_async_callback(reload.close)
    accounts = HeldAccounts(SealedAccounts(store, box))
    blocked = PoliciesWithBlocks(policies, store, clock)
    deciding = PoliciesWithAccounts(blocked, SealedAccounts(store, box), clock)
    state = HeldState(
        store,
        [
            swap.follow,
            reload.note_followed,
            keyring.reload,
            accounts.refresh,
            blocked.refresh,
            deciding.refresh,
            issuer_keys.refresh,
        ],
    )
    reloading: PolicyReload | Following = reload
    if worker.link is not None:
        if worker.has_duties:
            Leading(worker.link, reload)
        else:
            reloading = Following(worker.link, swap, state.refresh, taking_in)
        stack.push_async_callback(cancel, asyncio.create_task(worker.link.run()))
    if reading is not None:
        await reload.start(reading)
    await state.read()
    counts = RefusalCounts(identifiers.new)
    exchange = TokenExchange(
        state=state,
        policies=deciding,
        issuer_keys=issuer_keys,
        signing_keys=keyring,
        ledger=store,
        clock=clock,
        identifiers=identifiers,
        refusal_counts=counts,
        limits=await begin_limits(stack, settings, counts, clock, worker.measured.measurements),
        issuer=settings.issuer,
        leeway=settings.leeway,
        measurements=worker.measured.measurements,
    )
    served = await for_accounts(stack, settings, exchange, blocked, accounts, store, box)
    head_key = await open_head_key(store, box)
    endpoints = endpoints_of(
        settings,
        exchange,
        served,
        store,
        kept,
        reloading,
        upkeep,
        issuer_keys,
        LogVerification(store, head_key),
        worker.measured,
        CandidateSimulation(
            deciding,
            kept,
            # One of its own: a reload would end the process of the other.
            PolicyReader(settings.policies, policy_parameters(settings, dev_issuers), clock),
            SealedAccounts(store, box),
            store,
            store,
            clock,
            identifiers,
        ),
    )
    counted = CountedRefusals(counts, store, clock)
    heads = AuditHeads(
        store,
        head_key,
        clock,
        Retention(store, head_key, clock, settings.audit.retention),
        on_signed=sink,
    )
    if worker.has_duties:
        # After the last events are written, which is done first.
        stack.push_async_callback(heads.at_stop)
    stack.push_async_callback(counted.write_all)
    stack.push_async_callback(served.credentials.last_uses.write)
    # Each process looks after the keys, of which it must not know from long ago (decision 0010).
    loops = [
        issuer_keys.run,
        served.client_keys.run,
        counted.run,
        served.credentials.last_uses.run,
        state.run,
        upkeep.run,
    ]
    if worker.has_duties:
        watch = PolicyWatch(reader, reload, settle=settle)
        loops += [watch.run, heads.run]
    for loop in loops:
        stack.push_async_callback(cancel, begin(loop))
    return Broker(
        build_app(
            settings.issuer,
            endpoints,
            lambda: identifiers.new(clock.now()),
            settings.admin_listen[1] if settings.admin_listen else None,
            worker.measured.measurements,
            begin_traces(stack, settings, worker.link.number if worker.link else None),
        ),
        policies,
        reload,
        store,
        issuer_keys,
        counted,
        heads,
    )


async def _first_reading(settings: Settings, reader: PolicyReader) -> Reading:
    """Read the policy files; refuse them on a first start, before anything is made on the disk."""
    reading = await reader.read(at_start=True)
    if isinstance(reading.outcome, Refused) and not await store_exists(settings.store):
        fault = settings.policies_fault
        raise ConfigurationError(reading.outcome.problems if fault is None else [fault])
    return reading


def _event_lines(settings: Settings, worker: Worker) -> AbstractContextManager[EventLines | None]:
    if not settings.audit.stdout:
        return contextlib.nullcontext()
    return EventLines(_stdout(), lock=worker.event_lock)


def _stdout() -> int:
    # Without it, its number could be that of any file opened since: of the store, for one.
    if sys.__stdout__ is None:
        message = "stdout is closed, so no event can be printed; write `audit: {stdout: false}`"
        raise ConfigurationError([Problem("audit.stdout", 0, 0, message)])
    return sys.__stdout__.fileno()
