"""Settings in, a running broker out: the only file that knows every class."""

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

import uvicorn
import uvloop
from starlette.types import ASGIApp

from broker import logs
from broker.audit.head_key import open_head_key
from broker.audit.heads import AuditHeads
from broker.audit.retention import Retention
from broker.core.errors import ConfigurationError, Problem
from broker.core.key_line import RotationRules
from broker.core.refusal_counts import RefusalCounts
from broker.event_lines import EventLines
from broker.grants.counted_refusals import CountedRefusals
from broker.grants.explanation import ExchangeExplanation
from broker.grants.token_exchange import TokenExchange
from broker.held_state import HeldState
from broker.http.api.bearer import Bearer
from broker.http.api.endpoint import ApiEndpoint
from broker.http.api.keys import KeysApi
from broker.http.api.policies import PoliciesApi
from broker.http.app import Endpoints, build_app
from broker.http.connections import ConnectionLimits, bounded_connections
from broker.http.discovery import Discovery
from broker.http.explain_endpoint import ExplainEndpoint
from broker.http.health import Health
from broker.http.oauth_endpoint import OAuthEndpoint
from broker.http.token_endpoint import TokenEndpoint
from broker.issuer_keys import HttpIssuerKeys
from broker.ports import Clock, Identifiers
from broker.reload.collector import set_aside, setting_aside
from broker.reload.hang_up import HangUp
from broker.reload.held import HeldPolicies
from broker.reload.kept_sets import KeptSets
from broker.reload.policy_reload import PolicyReload
from broker.reload.reading import PolicyReader, Reading, Refused
from broker.reload.seal import KEY_PURPOSE, Seal
from broker.reload.sources import DeploymentParameters
from broker.reload.swap import PolicySwap
from broker.reload.watch import SETTLE, PolicyWatch
from broker.settings import Settings
from broker.settings import load as load_settings
from broker.signing.key_upkeep import KeyUpkeep
from broker.signing.keyring import Keyring
from broker.signing.master_key import MasterKey
from broker.signing.sealed_rows import SealedBox
from broker.signing.store_key import load_master_key
from broker.stores.sqlite import SqliteStore
from broker.system import SystemClock, UuidV7Identifiers

logger = logging.getLogger(__name__)


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


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    clock: Clock | None = None,
    dev_issuers: Mapping[str, str] | None = None,
    settle: float = SETTLE,
    owns_process: bool = False,
) -> AsyncIterator[Broker]:
    """Run a broker until the block ends, without listening anywhere.

    `dev_issuers` are the dev platform's URLs by name; with them policies/dev/ is loaded too.
    Changed policy files are read after `settle` seconds without a change. A broker that owns its
    process takes care of Python's garbage collector. Raises `ConfigurationError` with every problem
    when it cannot start.
    """
    clock = clock or SystemClock()
    identifiers = UuidV7Identifiers()
    async with AsyncExitStack() as stack:
        reader = PolicyReader(settings.policies, _parameters(settings, dev_issuers), clock)
        stack.push_async_callback(reader.close)
        reading = await reader.read(at_start=True)
        _refuse_first_start(settings, reading)
        sink = stack.enter_context(EventLines(_stdout())) if settings.audit.stdout else None
        store = await SqliteStore.open(settings.store.path, clock, on_committed=sink)
        stack.push_async_callback(store.close)
        master_key = await load_store_key(settings, store, may_create=settings.loopback)
        keyring, upkeep = await open_signing_keys(settings, store, master_key, clock, identifiers)
        await upkeep.keep_up()
        head_key = await open_head_key(store, SealedBox(master_key))
        issuer_keys = HttpIssuerKeys(
            clock, broker_on_loopback=settings.loopback, rng=SystemRandom().random
        )
        stack.push_async_callback(issuer_keys.close)
        policies = HeldPolicies()
        kept = KeptSets(store, Seal(master_key.derive(KEY_PURPOSE)), reader, clock)
        swap = PolicySwap(
            policies, kept, store, lambda new: issuer_keys.retain(new.policy_set.issuers.values())
        )
        reload = PolicyReload(
            reader=reader,
            kept=kept,
            swap=swap,
            ledger=store,
            clock=clock,
            identifiers=identifiers,
            taking_in=setting_aside if owns_process else contextlib.nullcontext,
        )
        stack.push_async_callback(reload.close)
        await reload.start(reading)
        state = await HeldState.open(store, [swap.follow, keyring.reload])
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
        policies_api = PoliciesApi(policies, kept, reload)
        keys_api = KeysApi(upkeep)
        endpoints = Endpoints(
            oauth_token=OAuthEndpoint(tokens.serve, counts, clock, proxies),
            api_token=OAuthEndpoint(tokens.serve, counts, clock, proxies, json_allowed=True),
            oauth_explain=OAuthEndpoint(explanations.serve, counts, clock, proxies),
            policies=ApiEndpoint(bearer, "broker:policies:read", policies_api.show),
            policies_reload=ApiEndpoint(bearer, "broker:policies:write", policies_api.reload),
            keys=ApiEndpoint(bearer, "broker:keys:read", keys_api.show),
            keys_rotate=ApiEndpoint(bearer, "broker:keys:write", keys_api.rotate),
            discovery=Discovery(settings.issuer, policies, keyring, clock),
            health=Health(store, keyring, reload, clock),
        )
        counted = CountedRefusals(counts, store, clock)
        retention = Retention(store, head_key, clock, settings.audit.retention)
        heads = AuditHeads(store, head_key, clock, retention, on_signed=sink)
        # After the last events are written, which is done first.
        stack.push_async_callback(heads.at_stop)
        stack.push_async_callback(counted.write_all)
        watch = PolicyWatch(reader, reload, settle=settle)
        loops = (
            issuer_keys.run(),
            counted.run(),
            watch.run(),
            state.run(),
            upkeep.run(),
            heads.run(),
        )
        for loop in loops:
            stack.push_async_callback(_cancel, asyncio.create_task(loop))
        app = build_app(settings.issuer, endpoints, lambda: identifiers.new(clock.now()))
        yield Broker(app, policies, reload, kept, store, issuer_keys, counted, heads)


def serve(
    *, config: Path | None, listen: str | None, dev: bool, dev_listen: str, data: Path
) -> None:
    """Serve until SIGTERM or SIGINT.

    `dev` also runs the dev platform, on the address `dev_listen`; `data` is the folder for what no
    setting places elsewhere. Raises `ConfigurationError` when the broker cannot start.
    """
    settings = load_settings(
        config, os.environ, listen=listen, dev=dev, data_dir=data, working_directory=Path.cwd()
    )
    logs.configure(sys.stderr)
    with ExitStack() as stack:
        dev_issuers = stack.enter_context(_dev_platform(dev_listen, data)) if dev else None
        listener = stack.enter_context(_bind(settings.listen))
        settings = settings.bound_to(listener.getsockname()[1])
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, dev_issuers, listener))


def uvicorn_config(app: ASGIApp, limits: ConnectionLimits | None = None) -> uvicorn.Config:
    """Choose how the server speaks HTTP."""
    limits = limits or ConnectionLimits()
    return uvicorn.Config(
        app,
        interface="asgi3",
        http=bounded_connections(limits),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # The broker reads X-Forwarded-For itself, from `trusted_proxies` alone.
        proxy_headers=False,
        timeout_keep_alive=math.ceil(limits.request_seconds),
        timeout_graceful_shutdown=10,
    )


async def _serve(
    settings: Settings, dev_issuers: Mapping[str, str] | None, listener: socket.socket
) -> None:
    loop = asyncio.get_running_loop()
    hang_up = HangUp()
    async with running(settings, dev_issuers=dev_issuers, owns_process=True) as broker:
        server = _Server(uvicorn_config(broker.app))
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, server.stop)
        reloading = asyncio.create_task(hang_up.serve(broker.reload, server.stop))
        set_aside()
        host, port = settings.listen
        listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        facts: dict[str, object] = {"issuer": settings.issuer, "listen": listen}
        if dev_issuers is not None:
            facts["dev_issuers"] = dict(dev_issuers)
        logger.info("serving", extra=facts)
        await server.serve(sockets=[listener])
        await _cancel(reloading)


class _Server(uvicorn.Server):
    """A server that leaves the signals to us: it would end the process before the store closes."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield

    def stop(self) -> None:
        """Finish the requests that are under way, then end."""
        self.should_exit = True


def _bind(listen: tuple[str, int]) -> socket.socket:
    host, port = listen
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        message = f"cannot listen on {host}:{port}: {error.strerror}; choose another with --listen"
        raise ConfigurationError([Problem("listen", 0, 0, message)]) from None


@contextmanager
def _dev_platform(listen: str, data: Path) -> Iterator[dict[str, str]]:
    """Run the dev platform and give its issuers' URLs by name."""
    # Only here: nothing of it is loaded by a broker that is not for development.
    from broker.testing.dev_platform import DevKeyRefused, DevPlatform  # noqa: PLC0415
    from broker.testing.issuer_server import serving  # noqa: PLC0415
    from broker.testing.loopback import base_url, listen_on, split_listen  # noqa: PLC0415

    try:
        bound = listen_on(*split_listen(listen))
    except OSError as error:
        message = f"cannot listen on {listen}: {error.strerror}; choose another place"
        raise ConfigurationError([Problem("--dev-listen", 0, 0, message)]) from None
    with bound:
        try:
            platform = DevPlatform.open(base_url(bound), data / "dev")
        except (DevKeyRefused, OSError) as error:
            raise ConfigurationError([Problem("--data", 0, 0, str(error))]) from None
        with serving(platform.app(), bound):
            yield {"dev-github": platform.github.url, "dev-gitlab": platform.gitlab.url}


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


def _refuse_first_start(settings: Settings, reading: Reading) -> None:
    """Refuse to begin with files that are no good, before anything is made on the disk."""
    if isinstance(reading.outcome, Refused) and not settings.store.path.exists():
        fault = settings.policies_fault
        raise ConfigurationError(reading.outcome.problems if fault is None else [fault])


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
