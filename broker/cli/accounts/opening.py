"""The registry that a command works on: that of the configured broker, on its store."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from broker.cli.endings import USAGE, fail, server_extra, told_plainly

if TYPE_CHECKING:
    from broker.core.policy import PolicySet
    from broker.core.registry.refused import ChangeRefused
    from broker.ports import RegistryCaller, Store
    from broker.registry.accounts import AccountRegistry
    from broker.settings import Settings
    from broker.signing.master_key import MasterKey

ACTOR: Final = "command line"
REFUSED: Final = 1
"""The command was understood, but what is there does not allow it."""

OPTIONS: Final = {
    "client_id": "ID",
    "grants": "--grant",
    "expires_at": "--expires",
    "allowed_networks": "--network",
    "jwks": "--jwks-file",
}
"""How a command names members that it does not name as they are."""

AccountId = Annotated[str, typer.Argument(metavar="ID", help="The account's id (`client_id`).")]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class OpenedAccounts:
    """What the commands work with."""

    registry: "AccountRegistry"
    store: "Store"
    policy_set: "PolicySet"
    now: float

    @property
    def caller(self) -> "RegistryCaller":
        """Who works on the store itself."""
        from broker.core.registry.authority import OPERATOR
        from broker.ports import RegistryCaller

        return RegistryCaller(ACTOR, OPERATOR)

    async def identify(self) -> "RegistryCaller":
        """Give the same, as changes ask for it."""
        return self.caller


Work = Callable[[OpenedAccounts], Coroutine[Any, Any, Result]]


def run(
    command: str,
    config: Path | None,
    data: Path,
    work: Work[Result],
    *,
    may_make_store: bool = False,
    by_options: bool = True,
) -> Result:
    """Do the work of a command; end it with one message when it cannot be done.

    `by_options` says that what is refused came by options, not by a document with its members.
    """
    with server_extra(f"accounts {command}"):
        from broker.core.registry.refused import ChangeRefused, Code

        async def whole() -> Result:
            async with _opened(config, data, may_make_store=may_make_store) as opened:
                return await work(opened)

        try:
            with told_plainly():
                return asyncio.run(whole())
        except ChangeRefused as refused:
            told = _by_option(refused) if by_options else str(refused)
            fail(told, USAGE if refused.code is Code.INVALID_REQUEST else REFUSED)


def _by_option(refused: "ChangeRefused") -> str:
    """Say what is refused by the option that it came by."""
    if refused.field is None:
        return refused.sentence
    member, dot, rest = refused.field.partition(".")
    option = OPTIONS.get(member, f"--{member.replace('_', '-')}")
    return f"{option}{f' {rest}' if dot else ''}: {refused.sentence}"


@asynccontextmanager
async def _opened(
    config: Path | None, data: Path, *, may_make_store: bool
) -> AsyncIterator[OpenedAccounts]:
    from broker import bootstrap
    from broker.core.errors import ConfigurationError, Problem
    from broker.core.indexed_policies import IndexedPolicies
    from broker.registry.store_state import StoreState
    from broker.reload.held import HeldPolicies
    from broker.settings import load
    from broker.signing.sealed_rows import SealedBox
    from broker.stores.opening import NO_STORE, open_store, store_exists
    from broker.system import SystemClock

    settings = load(config, os.environ, data_dir=data, working_directory=Path.cwd(), serving=False)
    if not await store_exists(settings.store) and not may_make_store:
        what = f"{NO_STORE}; `broker accounts create` makes one, too"
        raise ConfigurationError([Problem(settings.store.shown, 0, 0, what)])
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = await open_store(settings.store, clock, serving=False)
        stack.push_async_callback(store.close)
        may_create = may_make_store and settings.loopback
        master_key = await bootstrap.load_store_key(settings, store, may_create=may_create)
        policy_set = await _policy_set(settings, store, master_key, tell=may_make_store)
        state = StoreState(store)
        await state.refresh()
        held = HeldPolicies(IndexedPolicies.of(policy_set))
        box = SealedBox(master_key)
        registry = await bootstrap.open_registry(settings, store, box, state, held, clock)
        yield OpenedAccounts(registry, store, policy_set, clock.now())


async def _policy_set(
    settings: "Settings", store: "Store", master_key: "MasterKey", *, tell: bool
) -> "PolicySet":
    """Give the policies that brokers of this store go by, or would if one were started now.

    With `tell` it is said when there are none. Raises `ConfigurationError` and `Unavailable`.
    """
    from broker.bootstrap import policy_parameters
    from broker.policy_files import load
    from broker.reload.kept_sets import KeptSetsReading
    from broker.reload.reading import PolicyReader
    from broker.reload.seal import KEY_PURPOSE, Seal
    from broker.system import SystemClock

    reader = PolicyReader(settings.policies, policy_parameters(settings), SystemClock())
    kept = KeptSetsReading(store, Seal(master_key.derive(KEY_PURPOSE)), reader)
    version = await kept.last_version()
    found = None if version is None else await kept.find(version, at_start=True)
    if found is not None:
        return found
    if not settings.policies.is_dir():
        if tell:
            typer.echo(
                f"broker: {settings.policies}: there are no policy files yet, so that accounts can"
                " be granted scopes of `broker` alone",
                err=True,
            )
        return _broker_alone(settings)
    return load(
        settings.policies,
        broker_issuer=settings.issuer,
        token_defaults=(settings.tokens.ttl, settings.tokens.max_ttl),
        signing_algorithms=settings.signing.algorithms,
        loopback=settings.loopback,
        folders=settings.folders,
    ).policy_set


def _broker_alone(settings: "Settings") -> "PolicySet":
    from broker.core.broker_service import broker_service
    from broker.core.policy import PolicySet

    service = broker_service(
        settings.issuer,
        ttl=settings.tokens.ttl,
        max_ttl=settings.tokens.max_ttl,
        signing_alg=settings.signing.algorithms[0],
    )
    return PolicySet({}, {service.name: service}, {}, {})
