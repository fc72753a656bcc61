"""Settings in, a running broker out: the only file that knows every class but the server's."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from random import SystemRandom
from typing import Final

from starlette.types import ASGIApp

from broker.audit.head_key import open_head_key
from broker.audit.heads import AuditHeads
from broker.audit.retention import Retention
from broker.audit.verification import LogVerification
from broker.core.client_secret import digest
from broker.core.errors import ConfigurationError, Problem, Unavailable
from broker.core.key_line import RotationRules
from broker.core.refusal_counts import RefusalCounts
from broker.core.registry.members import RegistryRules
from broker.event_lines import EventLines
from broker.grants.client_authentication import ClientAuthentication
from broker.grants.client_credentials import ClientCredentials
from broker.grants.counted_refusals import CountedRefusals
from broker.grants.explanation import ExchangeExplanation
from broker.grants.last_uses import LastUses
from broker.grants.limit_sharing import LimitSharing
from broker.grants.rate_limits import RateLimits
from broker.grants.token_exchange import TokenExchange
from broker.held_accounts import HeldAccounts
from broker.held_state import HeldState
from broker.http.api.audit_logs import AuditLogsApi
from broker.http.api.bearer import Bearer
from broker.http.api.catalogue import CatalogueApi
from broker.http.api.endpoint import ApiEndpoint, Serve
from broker.http.api.issuers import IssuersApi
from broker.http.api.keys import KeysApi
from broker.http.api.limits import ApiLimits
from broker.http.api.policies import PoliciesApi
from broker.http.api.service_accounts import ServiceAccountsApi
from broker.http.app import Endpoints, build_app
from broker.http.discovery import Discovery
from broker.http.explain_endpoint import ExplainEndpoint
from broker.http.health import Health
from broker.http.oauth_endpoint import OAuthEndpoint
from broker.http.token_endpoint import TokenEndpoint
from broker.issuer_keys import ClientKeys, HttpIssuerKeys
from broker.ports import Clock, Identifiers, PolicySource, State
from broker.registry.accounts import AccountRegistry
from broker.registry.deciding_accounts import PoliciesWithAccounts
from broker.registry.drawing import Drawing
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
from broker.signing.key_upkeep import KeyUpkeep
from broker.signing.keyring import Keyring
from broker.signing.master_key import MasterKey
from broker.signing.pepper import load_pepper
from broker.signing.sealed_accounts import SealedAccounts
from broker.signing.sealed_rows import SealedBox
from broker.signing.store_key import load_master_key
from broker.stores.sqlite import SqliteStore
from broker.stores.sqlite_limits import SqliteLimits
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

    @property
    def has_duties(self) -> bool:
        """Whether it does what one does for all: it reads the policy files and signs heads."""
        return self.link is None or self.link.number == LEADER

    @property
    def reads_first(self) -> bool:
        """Whether it puts the first policies in force; the others follow the store."""
        return self.has_duties and self.broker_starts


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
    taking_in = setting_aside if owns_process else contextlib.nullcontext
    async with AsyncExitStack() as stack:
        try:
            broker = await _started(stack, settings, clock, dev_issuers, settle, worker, taking_in)
        except Unavailable as error:
            message = f"{error.description}: the log says why; a damaged one needs its backup"
            problem = Problem(str(settings.store.path), 0, 0, message)
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
    store = await SqliteStore.open(settings.store.path, clock, on_committed=sink)
    stack.push_async_callback(store.close)
    master_key = await load_store_key(settings, store, may_create=settings.loopback)
    keyring, upkeep = await open_signing_keys(settings, store, master_key, clock, identifiers)
    await upkeep.keep_up()
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
    )
    stack.push_async_callback(reload.close)
    box = SealedBox(master_key)
    accounts = HeldAccounts(SealedAccounts(store, box))
    deciding = PoliciesWithAccounts(policies, SealedAccounts(store, box), clock)
    state = HeldState(store, [swap.follow, keyring.reload, accounts.refresh, deciding.refresh])
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
        policies=deciding,
        issuer_keys=issuer_keys,
        signing_keys=keyring,
        ledger=store,
        clock=clock,
        identifiers=identifiers,
        refusal_counts=counts,
        limits=await _rate_limits(stack, settings, counts, clock),
        issuer=settings.issuer,
        leeway=settings.leeway,
    )
    served = await _for_accounts(stack, settings, exchange, policies, accounts, store, box)
    head_key = await open_head_key(store, box)
    verification = LogVerification(store, head_key)
    endpoints = _endpoints(
        settings, exchange, served, store, kept, reloading, upkeep, issuer_keys, verification
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
        issuer_keys.run(),
        served.client_keys.run(),
        counted.run(),
        served.credentials.last_uses.run(),
        state.run(),
        upkeep.run(),
    ]
    if worker.has_duties:
        watch = PolicyWatch(reader, reload, settle=settle)
        loops += [watch.run(), heads.run()]
    for loop in loops:
        stack.push_async_callback(_cancel, asyncio.create_task(loop))
    return Broker(
        build_app(settings.issuer, endpoints, lambda: identifiers.new(clock.now())),
        policies,
        reload,
        kept,
        store,
        issuer_keys,
        counted,
        heads,
    )


@dataclass(frozen=True, slots=True)
class _ForAccounts:
    """What serves accounts that have secrets or keys, and those who look after them."""

    client_keys: ClientKeys
    credentials: ClientCredentials
    registry: AccountRegistry


async def _for_accounts(
    stack: AsyncExitStack,
    settings: Settings,
    exchange: TokenExchange,
    policies: HeldPolicies,
    accounts: HeldAccounts,
    store: SqliteStore,
    box: SealedBox,
) -> _ForAccounts:
    clock = exchange.clock
    client_keys = ClientKeys(
        clock,
        broker_on_loopback=settings.loopback,
        rng=SystemRandom().random,
        hosts=settings.jwks_hosts,
    )
    stack.push_async_callback(client_keys.close)
    authentication = ClientAuthentication(
        accounts=accounts,
        policies=policies,
        client_keys=client_keys,
        limits=exchange.limits,
        clock=clock,
        issuer=exchange.issuer,
        pepper=await load_pepper(store, box),
    )
    credentials = ClientCredentials(
        state=exchange.state,
        policies=policies,
        authentication=authentication,
        limits=exchange.limits,
        signing_keys=exchange.signing_keys,
        ledger=exchange.ledger,
        clock=clock,
        identifiers=exchange.identifiers,
        last_uses=LastUses(store),
        issuer=exchange.issuer,
    )
    registry = await open_registry(settings, store, box, exchange.state, policies, clock)
    return _ForAccounts(client_keys, credentials, registry)


def _endpoints(  # noqa: PLR0913, PLR0917 — what the endpoints show has as many owners
    settings: Settings,
    exchange: TokenExchange,
    served: _ForAccounts,
    store: SqliteStore,
    kept: KeptSets,
    reloading: PolicyReload | Following,
    upkeep: KeyUpkeep,
    issuer_keys: HttpIssuerKeys,
    verification: LogVerification,
) -> Endpoints:
    policies, keys, clock = exchange.policies, exchange.signing_keys, exchange.clock
    counts, limits, proxies = exchange.refusal_counts, exchange.limits, settings.trusted_proxies
    tokens = TokenEndpoint(exchange, served.credentials)
    authentication = served.credentials.authentication
    explanations = ExplainEndpoint(ExchangeExplanation(exchange))
    last_uses = served.credentials.last_uses
    bearer = Bearer(settings.issuer, keys, store, clock, authentication, last_uses, proxies)
    api_limits = ApiLimits(limits, clock, proxies)
    policies_api = PoliciesApi(policies, kept, reloading)
    keys_api = KeysApi(upkeep)
    # Whose events an organization sees: accounts of the files from there, others from the store.
    audit_api = AuditLogsApi(store, verification, served.registry.policies, store, clock)
    catalogue_api = CatalogueApi(policies)
    issuers_api = IssuersApi(policies, issuer_keys)
    return Endpoints(
        oauth_token=OAuthEndpoint(
            tokens.serve, authentication, counts, limits, clock, proxies, grants=True
        ),
        api_token=OAuthEndpoint(
            tokens.serve,
            authentication,
            counts,
            limits,
            clock,
            proxies,
            grants=True,
            json_allowed=True,
        ),
        oauth_explain=OAuthEndpoint(
            explanations.serve, authentication, counts, limits, clock, proxies
        ),
        policies=ApiEndpoint(bearer, api_limits, "broker:policies:read", policies_api.show),
        policies_reload=ApiEndpoint(
            bearer, api_limits, "broker:policies:write", policies_api.reload
        ),
        keys=ApiEndpoint(bearer, api_limits, "broker:keys:read", keys_api.show),
        keys_rotate=ApiEndpoint(bearer, api_limits, "broker:keys:write", keys_api.rotate),
        accounts=ServiceAccountsApi(served.registry, bearer, api_limits, proxies).endpoints(),
        audit_logs=ApiEndpoint(
            bearer, api_limits, "broker:audit:read", audit_api.show, confined=True
        ),
        audit_verify=ApiEndpoint(bearer, api_limits, "broker:audit:read", audit_api.verify),
        services=_catalogue_endpoint(bearer, api_limits, catalogue_api.services),
        organizations=_catalogue_endpoint(bearer, api_limits, catalogue_api.organizations),
        issuers=ApiEndpoint(bearer, api_limits, "broker:issuers:read", issuers_api.show),
        discovery=Discovery(settings.issuer, policies, keys, clock),
        health=Health(store, keys, reloading, clock),
    )


async def _rate_limits(
    stack: AsyncExitStack, settings: Settings, counts: RefusalCounts, clock: Clock
) -> RateLimits:
    """Begin to share counts with the other processes, if anything is limited."""
    shared_counts = SqliteLimits(settings.store.path)
    stack.push_async_callback(shared_counts.close)
    sharing = LimitSharing(shared_counts, clock)
    limits = settings.rate_limits
    if limits.any():
        # Known before the first request: how many processes there are.
        await sharing.beat()
        stack.push_async_callback(sharing.close)
        stack.push_async_callback(_cancel, asyncio.create_task(sharing.run()))
    return RateLimits(
        sharing, counts, client=limits.client, address=limits.address, failed=limits.failed
    )


def _catalogue_endpoint(bearer: Bearer, limits: ApiLimits, serve: Serve) -> ApiEndpoint:
    # Whoever makes accounts has to know what may be granted.
    return ApiEndpoint(
        bearer,
        limits,
        "broker:policies:read",
        serve,
        or_scope="broker:accounts:read",
        confined=True,
    )


async def load_store_key(settings: Settings, store: SqliteStore, *, may_create: bool) -> MasterKey:
    """Find the master key of a store. Raises `ConfigurationError` and `Unavailable`."""
    given = settings.master_key.reveal() if settings.master_key is not None else None
    return await load_master_key(settings.master_key_file, given, store, may_create=may_create)


async def open_signing_keys(
    settings: Settings,
    store: SqliteStore,
    master_key: MasterKey,
    clock: Clock,
    identifiers: Identifiers,
) -> tuple[Keyring, KeyUpkeep]:
    """Read the signing keys of a store. Raises `ConfigurationError` and `Unavailable`."""
    signing = settings.signing
    # Whoever has not heard of the store for so long cannot know which keys are published.
    keyring = await Keyring.open(store, master_key, trusted_for=signing.publish_before_use / 2)
    rules = RotationRules(
        signing.algorithms, signing.rotate_every, signing.publish_before_use, settings.leeway
    )
    return keyring, KeyUpkeep(store, keyring, rules, clock, identifiers)


async def open_registry(
    settings: Settings,
    store: SqliteStore,
    box: SealedBox,
    state: State,
    policies: PolicySource,
    clock: Clock,
) -> AccountRegistry:
    """Open the registry of service accounts. Raises `Unavailable`."""
    digesting = partial(digest, pepper=await load_pepper(store, box))
    drawing = Drawing(UuidV7Identifiers(), settings.secret_prefix, digesting)
    rules = RegistryRules(settings.max_accounts, settings.jwks_hosts)
    accounts = SealedAccounts(store, box)
    return AccountRegistry(accounts, state, policies, clock, drawing, rules)


def policy_parameters(
    settings: Settings, dev_issuers: Mapping[str, str] | None = None
) -> DeploymentParameters:
    """Give what policies depend on beside their files."""
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


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
