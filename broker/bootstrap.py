"""Settings in, a running broker out: the only file that knows every class but the server's."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from random import SystemRandom
from typing import Final

from starlette.types import ASGIApp

from broker.core.errors import ConfigurationError, Problem
from broker.core.refusal_counts import RefusalCounts
from broker.event_lines import EventLines
from broker.grants.counted_refusals import CountedRefusals
from broker.grants.explanation import ExchangeExplanation
from broker.grants.token_exchange import TokenExchange
from broker.held_state import HeldState
from broker.http.api.bearer import Bearer
from broker.http.api.endpoint import ApiEndpoint
from broker.http.api.policies import PoliciesApi
from broker.http.app import Endpoints, build_app
from broker.http.discovery import Discovery
from broker.http.explain_endpoint import ExplainEndpoint
from broker.http.health import Health
from broker.http.oauth_endpoint import OAuthEndpoint
from broker.http.token_endpoint import TokenEndpoint
from broker.issuer_keys import HttpIssuerKeys
from broker.ports import Clock
from broker.reload.collector import setting_aside
from broker.reload.following import Following
from broker.reload.held import HeldPolicies
from broker.reload.kept_sets import KeptSets
from broker.reload.leading import Leading, LinkedFollowers
from broker.reload.policy_reload import PolicyReload, keep_to_oneself
from broker.reload.reading import PolicyReader, Reading, Refused
from broker.reload.seal import KEY_PURPOSE, Seal
from broker.reload.sources import DeploymentParameters
from broker.reload.swap import PolicySwap
from broker.reload.watch import SETTLE, PolicyWatch
from broker.settings import Settings
from broker.shared_output import OutputLock
from broker.signing.keyring import Keyring
from broker.signing.master_key import MasterKey, load_master_key
from broker.stores.sqlite import SqliteStore
from broker.system import SystemClock, UuidV7Identifiers
from broker.workers.link import Link
from broker.workers.words import LEADER


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker that is running: its endpoints, and the ends that tests and tools hold."""

    app: ASGIApp
    policies: HeldPolicies
    reload: PolicyReload
    kept_policies: KeptSets
    store: SqliteStore
    issuer_keys: HttpIssuerKeys
    counted_refusals: CountedRefusals


@dataclass(frozen=True, slots=True)
class Worker:
    """The part of a process in its broker; one that is alone has all of it."""

    link: Link | None = None
    """The line to the other processes; None when there are none."""

    broker_starts: bool = True
    """Whether the whole broker starts with it, and not this worker alone."""

    event_lock: OutputLock | None = None
    """What the processes exclude one another with when they print their events."""

    @property
    def has_duties(self) -> bool:
        """Whether it does what one process does for all: it reads the policy files."""
        return self.link is None or self.link.number == LEADER


_ALONE: Final = Worker()


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    clock: Clock | None = None,
    dev_issuers: Mapping[str, str] | None = None,
    settle: float = SETTLE,
    owns_process: bool = False,
    worker: Worker = _ALONE,
) -> AsyncIterator[Broker]:
    """Run a broker until the block ends, without listening anywhere.

    `dev_issuers` are the dev platform's URLs by name; with them policies/dev/ is loaded too.
    Changed policy files are read after `settle` seconds without a change. A broker that owns its
    process takes care of Python's garbage collector. Of several processes each runs the `worker`
    that it is. Raises `ConfigurationError` with every problem when it cannot start.
    """
    clock = clock or SystemClock()
    identifiers = UuidV7Identifiers()
    async with AsyncExitStack() as stack:
        reader = PolicyReader(settings.policies, _parameters(settings, dev_issuers), clock)
        stack.push_async_callback(reader.close)
        reads_first = worker.has_duties and worker.broker_starts
        reading = await _first_reading(settings, reader) if reads_first else None
        events = EventLines(_stdout(), lock=worker.event_lock) if settings.audit.stdout else None
        sink = stack.enter_context(events) if events else None
        store = await SqliteStore.open(settings.store.path, clock, on_committed=sink)
        stack.push_async_callback(store.close)
        master_key = await _load_master_key(settings, store)
        keyring = await Keyring.open(store, master_key, settings.signing.algorithms, clock)
        issuer_keys = HttpIssuerKeys(
            clock, broker_on_loopback=settings.loopback, rng=SystemRandom().random
        )
        stack.push_async_callback(issuer_keys.close)
        policies = HeldPolicies()
        kept = KeptSets(store, Seal(master_key.derive(KEY_PURPOSE)), reader, clock)
        followers = LinkedFollowers(worker.link) if worker.link and worker.has_duties else None
        swap = PolicySwap(
            policies,
            kept,
            store,
            lambda new: issuer_keys.retain(new.policy_set.issuers.values()),
            followers,
        )
        taking_in = setting_aside if owns_process else contextlib.nullcontext
        reload = PolicyReload(
            reader=reader,
            kept=kept,
            swap=swap,
            ledger=store,
            clock=clock,
            identifiers=identifiers,
            taking_in=taking_in,
            fault_changed=followers.fault_changed if followers else keep_to_oneself,
        )
        stack.push_async_callback(reload.close)
        state = HeldState(store, [swap.follow, keyring.reload])
        reloading: PolicyReload | Following = reload
        if worker.link is not None:
            if worker.has_duties:
                Leading(worker.link, reload)
            else:
                reloading = Following(worker.link, swap, state.refresh, taking_in)
            stack.push_async_callback(_cancel, asyncio.create_task(worker.link.run()))
        if reading is not None:
            await reload.start(reading)
        await state.read()
        counts = RefusalCounts(identifiers.new)
        exchange = TokenExchange(
            state=state,
            policies=policies,
            issuer_keys=issuer_keys,
            signing_keys=keyring,
            ledger=store,
            clock=clock,
            identifiers=identifiers,
            refusal_counts=counts,
            issuer=settings.issuer,
            leeway=settings.leeway,
        )
        proxies = settings.trusted_proxies
        tokens = TokenEndpoint(exchange)
        explanations = ExplainEndpoint(ExchangeExplanation(exchange))
        bearer = Bearer(settings.issuer, keyring, policies, store, clock)
        policies_api = PoliciesApi(policies, kept, reloading)
        endpoints = Endpoints(
            oauth_token=OAuthEndpoint(tokens.serve, counts, clock, proxies),
            api_token=OAuthEndpoint(tokens.serve, counts, clock, proxies, json_allowed=True),
            oauth_explain=OAuthEndpoint(explanations.serve, counts, clock, proxies),
            policies=ApiEndpoint(bearer, "broker:policies:read", policies_api.show),
            policies_reload=ApiEndpoint(bearer, "broker:policies:write", policies_api.reload),
            discovery=Discovery(settings.issuer, policies, keyring, clock),
            health=Health(store, keyring, reloading, clock),
        )
        counted = CountedRefusals(counts, store, clock)
        stack.push_async_callback(counted.write_all)
        loops = [issuer_keys.run(), counted.run(), state.run()]
        if worker.has_duties:
            loops.append(PolicyWatch(reader, reload, settle=settle).run())
        for loop in loops:
            stack.push_async_callback(_cancel, asyncio.create_task(loop))
        app = build_app(settings.issuer, endpoints, lambda: identifiers.new(clock.now()))
        yield Broker(app, policies, reload, kept, store, issuer_keys, counted)


async def _load_master_key(settings: Settings, store: SqliteStore) -> MasterKey:
    given = settings.master_key.reveal() if settings.master_key is not None else None
    return await load_master_key(
        settings.master_key_file, given, store, may_create=settings.loopback
    )


def _parameters(settings: Settings, dev_issuers: Mapping[str, str] | None) -> DeploymentParameters:
    return DeploymentParameters(
        broker_issuer=settings.issuer,
        ttl=settings.tokens.ttl,
        max_ttl=settings.tokens.max_ttl,
        signing_algorithms=settings.signing.algorithms,
        loopback=settings.loopback,
        dev_issuers=dev_issuers,
        folders=settings.folders,
    )


async def _first_reading(settings: Settings, reader: PolicyReader) -> Reading:
    """Read the policy files; refuse them on a first start, before anything is made on the disk."""
    reading = await reader.read(at_start=True)
    if isinstance(reading.outcome, Refused) and not settings.store.path.exists():
        fault = settings.policies_fault
        raise ConfigurationError(reading.outcome.problems if fault is None else [fault])
    return reading


def _stdout() -> int:
    # Without it, its number could be that of any file opened since: of the store, for one.
    if sys.__stdout__ is None:
        message = "stdout is closed, so no event can be printed; write `audit: {stdout: false}`"
        raise ConfigurationError([Problem("audit.stdout", 0, 0, message)])
    return sys.__stdout__.fileno()


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
