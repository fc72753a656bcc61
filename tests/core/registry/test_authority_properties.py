"""No sequence of calls gives a caller an account or a credential with more than it has."""

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.broker_service import BROKER_SCOPES
from broker.core.managed_account import admits
from broker.core.registry.authority import Authority
from broker.core.registry.refused import ChangeRefused
from broker.core.registry.secret_planning import SecretPlanning
from tests.core.registry.world import EVERYTHING, IN_FILES, POLICIES, SERVICES, World

SCOPES = sorted(BROKER_SCOPES)
NAMES = [service.name for service in SERVICES]

scope = st.sampled_from([
    *SCOPES, "broker:*", "broker:accounts:*", "deploy:read", "deploy:*", "acme:run", "shared:run",
])  # fmt: skip
# Scopes that a service has; what it has not is refused for that alone.
grants = st.fixed_dictionaries(
    {},
    optional={
        "broker": st.lists(st.sampled_from([*SCOPES, "broker:*", "broker:keys:*"]), max_size=2),
        "deploy-api": st.lists(st.sampled_from(["deploy:read", "deploy:*"]), max_size=1),
        "of-acme": st.just(["acme:run"]),
        "shared": st.just(["shared:run"]),
        "plain": st.just([]),
        "watched": st.just([]),
    },
)
callers = st.builds(
    Authority,
    st.frozensets(st.sampled_from(SCOPES)),
    st.sampled_from([None, "acme", "umbrella"]),
)
new_accounts = st.fixed_dictionaries(
    {"name": st.just("x")},
    optional={
        "grants": grants,
        "services": st.lists(st.sampled_from(NAMES), max_size=3),
        "scopes": st.lists(scope, max_size=3),
        "organization": st.sampled_from([None, "acme", "umbrella"]),
        "client_id": st.sampled_from(["a1", "b1", "cron", "acme-gateway"]),
        "secrets_allowed": st.booleans(),
    },
)
patches = st.one_of(
    st.fixed_dictionaries({"grants": grants}),
    st.fixed_dictionaries({"enabled": st.booleans()}),
    st.fixed_dictionaries(
        {},
        optional={
            "grants": st.none() | st.dictionaries(st.sampled_from(NAMES), st.none()),
            "organization": st.sampled_from([None, "acme"]),
            "secrets_allowed": st.booleans(),
        },
    ),
)
number = st.integers(0, 3) | st.integers(3, 10)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("create"), new_accounts),
        st.tuples(st.just("patch"), st.tuples(number, patches)),
        st.tuples(st.just("secret"), number),
        st.tuples(st.just("rotate"), number),
        st.tuples(st.just("complete"), number),
        st.tuples(st.just("cancel"), number),
        st.tuples(st.just("delete"), number),
    ),
    max_size=12,
)


def take(world: World, caller: Authority, kind: str, what: Any) -> None:
    # The account that was made last stands first, since small numbers are tried most.
    ids = [*reversed(world.accounts), *(account.client_id for account in IN_FILES)]
    if kind == "create":
        world.create(what, caller)
        return
    place, patch = what if kind == "patch" else (what, {})
    client_id = ids[place % len(ids)]
    match kind:
        case "patch":
            world.patch(client_id, patch, caller)
        case "secret":
            world.add_secret(client_id, caller)
        case "rotate":
            world.rotate(client_id, caller)
        case "complete":
            world.on_secrets(client_id, SecretPlanning.completion, caller)
        case "cancel":
            world.on_secrets(client_id, SecretPlanning.cancellation, caller)
        case _:
            world.delete(client_id, caller)


def within(world: World, client_id: str, caller: Authority) -> bool:
    """Tell whether an account can do nothing that the caller could not."""
    account = world.account(client_id)
    if not account.scopes.get("broker", frozenset()) <= caller.scopes:
        return False
    if caller.organization is None:
        return True
    reached = [POLICIES.services[name] for name in account.scopes]
    return account.organization == caller.organization and all(
        admits(service, caller.organization) for service in reached
    )


@settings(max_examples=300)
@given(callers, steps)
def test_nobody_comes_to_more_than_they_have(caller: Authority, taken: list[Any]) -> None:
    world = World()
    for members in (
        {"client_id": "boss", "name": "x", "grants": {"broker": ["broker:*"]}},
        {"name": "x", "organization": "acme", "grants": {"broker": ["broker:keys:read"]}},
        {"name": "x", "organization": "umbrella", "grants": {"shared": ["shared:run"]}},
    ):
        world.create(members, EVERYTHING)
    before = dict(world.accounts)
    known = set(world.secrets)

    for kind, what in taken:
        with suppress(ChangeRefused):
            take(world, caller, kind, what)

        changed = {each for each, row in world.accounts.items() if before.get(each) != row}
        changed |= world.overrides.keys()
        handed = {secret.client_id for id_, secret in world.secrets.items() if id_ not in known}
        for client_id in changed | handed:
            row = world.accounts.get(client_id)
            if row is None or row.deleted_at is None:
                assert within(world, client_id, caller)
        known |= set(world.secrets)
