"""A new service account is made as it was asked for, or not at all."""

from typing import Any

import pytest

from broker.core.registry.account_planning import Drawn, plan_creation, read_request
from broker.core.registry.refused import ChangeRefused, Code
from broker.core.registry.registered import AccountEntry
from tests.core.registry.world import ACCOUNTS, ACME, DAY, EVERYTHING, NOW, World


def refused(world: World, members: dict[str, Any], by: Any = EVERYTHING) -> ChangeRefused:
    with pytest.raises(ChangeRefused) as caught:
        world.create(members, by)
    assert world.accounts == {}
    assert world.secrets == {}
    return caught.value


def test_a_new_account_has_what_was_asked_for_and_a_secret(world: World) -> None:
    account = world.create(
        {
            "client_id": "nightly",
            "name": "Nightly",
            "description": "Builds at night",
            "grants": {"deploy-api": ["deploy:*"], "plain": []},
            "ttl": "10m",
            "max_ttl": 1200,
            "metadata": {"team": "web", "tier": 2, "on_call": True},
            "expires_at": "2027-06-30T12:00:00Z",
            "allowed_networks": ["192.0.2.0/24", "2001:db8::/32", "192.0.2.0/24"],
        }
    )

    assert world.account("nightly").members(NOW) == {
        "id": "nightly",
        "client_id": "nightly",
        "name": "Nightly",
        "description": "Builds at night",
        "organization": None,
        "grants": {"deploy-api": ["deploy:*"], "plain": []},
        "ttl": 600,
        "max_ttl": 1200,
        "metadata": {"team": "web", "tier": 2, "on_call": True},
        "secrets_allowed": True,
        "jwks": None,
        "jwks_uri": None,
        "enabled": True,
        "expires_at": "2027-06-30T12:00:00.000Z",
        "allowed_networks": ["192.0.2.0/24", "2001:db8::/32"],
        "managed_by": "api",
        "created_at": "2027-01-15T08:00:00.000Z",
        "updated_at": "2027-01-15T08:00:00.000Z",
        "last_used_at": "2027-01-15T08:00:00.000Z",
    }
    [secret] = world.secrets.values()
    assert (secret.client_id, secret.incarnation) == ("nightly", account.incarnation)


def test_what_is_recorded_names_what_was_set_and_no_secret(world: World) -> None:
    reading = world.reading()
    members = {"name": "Cron", "grants": {"plain": []}}
    request = read_request(EVERYTHING, members, reading)
    drawn = Drawn("m-1", "i-1", world.new_secret())

    plan = plan_creation(request, EVERYTHING, AccountEntry(), 0, drawn, reading)

    created, secret = plan.records
    assert created.type == "account.created"
    assert created.target == created.service_account == "m-1"
    assert created.changes == {
        "name": "Cron", "grants": {"plain": []}, "secrets_allowed": True, "enabled": True
    }  # fmt: skip
    assert (secret.type, secret.service_account, secret.target) == ("secret.created", "m-1", "s-0")
    assert secret.changes == {}
    assert "digest" not in repr(plan)


def test_an_id_is_generated_when_none_is_chosen(world: World) -> None:
    assert world.create({"name": "Cron"}).client_id == "m-0"
    assert world.create({"name": "Cron", "client_id": None}).client_id == "m-2"


@pytest.mark.parametrize("client_id", ["a", "A1", "-a", "a_b", "a" * 64, "a:b", "", 7, "é1"])
def test_an_id_outside_the_grammar_is_refused(world: World, client_id: object) -> None:
    error = refused(world, {"name": "x", "client_id": client_id})

    assert (error.code, error.field) == (Code.INVALID_REQUEST, "client_id")


def test_a_generated_id_cannot_be_asked_for(world: World) -> None:
    assert refused(world, {"name": "x", "client_id": "m-1"}).code == Code.INVALID_REQUEST


def test_the_id_of_a_file_is_taken(world: World) -> None:
    error = refused(world, {"name": "x", "client_id": "cron"})

    assert (error.code, error.field) == (Code.CONFLICT, "client_id")


def test_the_id_of_a_deleted_account_stays_taken(world: World) -> None:
    world.create({"name": "x", "client_id": "nightly"})
    world.delete("nightly")

    with pytest.raises(ChangeRefused) as caught:
        world.create({"name": "x", "client_id": "nightly"})
    assert caught.value.code == Code.CONFLICT


def test_an_organization_has_so_many_accounts_and_others_as_many(world: World) -> None:
    for _ in range(world.rules.max_accounts):
        world.create({"name": "x"}, ACME)

    with pytest.raises(ChangeRefused) as caught:
        world.create({"name": "x"}, ACME)
    assert caught.value.code == Code.ACCOUNT_LIMIT
    assert "of 'acme'" in str(caught.value)
    for _ in range(world.rules.max_accounts):
        world.create({"name": "x"})
    with pytest.raises(ChangeRefused, match="without organization"):
        world.create({"name": "x"})


def test_a_deleted_account_leaves_its_place_to_another(world: World) -> None:
    made = [world.create({"name": "x"}) for _ in range(world.rules.max_accounts)]
    world.delete(made[0].client_id)

    world.create({"name": "x"})


def test_an_account_without_secrets_gets_none(world: World) -> None:
    world.create({"name": "x", "secrets_allowed": False})
    world.create({"name": "x"}, with_secret=False)

    assert world.secrets == {}


@pytest.mark.parametrize(
    ("shortcut", "grants"),
    [
        ({"services": ["deploy-api"], "scopes": ["deploy:read"]}, {"deploy-api": ["deploy:read"]}),
        (
            {"services": ["deploy-api", "broker"], "permissions": ["deploy:*", "broker:keys:read"]},
            {"deploy-api": ["deploy:*"], "broker": ["broker:keys:read"]},
        ),
        ({"services": ["plain"]}, {"plain": []}),
        ({"services": ["deploy-api", "plain"], "scopes": []}, {"plain": []}),
        ({"services": []}, {}),
    ],
)
def test_each_scope_is_granted_in_the_services_that_have_it(
    world: World, shortcut: dict[str, Any], grants: dict[str, list[str]]
) -> None:
    account = world.create({"name": "x"} | shortcut)

    assert {name: list(scopes) for name, scopes in account.grants.items()} == grants


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"scopes": ["deploy:read"]}, "services"),
        ({"services": ["deploy-api"], "scopes": ["a"], "permissions": ["a"]}, "permissions"),
        ({"services": ["deploy-api"], "grants": {}}, "services"),
        ({"services": ["nothing"], "scopes": []}, "services.nothing"),
        ({"services": "deploy-api"}, "services"),
        ({"services": [7]}, "services"),
        ({"services": ["deploy-api"], "scopes": ["shared:run"]}, "scopes"),
        ({"services": ["deploy-api"], "permissions": ["shared:run"]}, "permissions"),
        ({"services": ["deploy-api"], "scopes": ["s"] * 201}, "scopes"),
        ({"organization": "nobody"}, "organization"),
        ({"organization": 7}, "organization"),
        ({"organization": ["acme"]}, "organization"),
        ({"managed_by": "file"}, "managed_by"),
        ({"id": "x1"}, "id"),
        ({"anything": 1}, "anything"),
    ],
)
def test_a_request_that_is_not_understood_is_refused(
    world: World, members: dict[str, Any], field: str
) -> None:
    error = refused(world, {"name": "x"} | members)

    assert (error.code, error.field) == (Code.INVALID_REQUEST, field)


def test_an_account_has_a_name(world: World) -> None:
    assert refused(world, {}).field == "name"


def test_an_operator_makes_accounts_of_organizations(world: World) -> None:
    account = world.create({"name": "x", "organization": "acme", "grants": {"of-acme": []}})

    assert account.organization == "acme"


@pytest.mark.parametrize(
    ("grants", "field"),
    [
        ({"of-acme": ["acme:run"]}, "grants.of-acme"),
        ({"broker": ["broker:keys:write"]}, "grants.broker"),
        ({"broker": ["broker:*"]}, "grants.broker"),
        ({"plain": [], "broker": ["broker:introspect"]}, "grants.broker"),
    ],
)
def test_nobody_grants_beyond_their_own(world: World, grants: dict[str, Any], field: str) -> None:
    error = refused(world, {"name": "x", "grants": grants}, ACCOUNTS)

    assert (error.code, error.field) == (Code.INSUFFICIENT_PERMISSIONS, field)


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"client_id": "nightly"}, "client_id"),
        ({"organization": "umbrella"}, "organization"),
        ({"organization": None}, "organization"),
        ({"grants": {"deploy-api": ["deploy:read"]}}, "grants.deploy-api"),
        ({"grants": {"watched": []}}, "grants.watched"),
        ({"services": ["shared", "deploy-api"], "scopes": ["deploy:read"]}, "grants.deploy-api"),
    ],
)
def test_an_organization_stays_within_itself(
    world: World, members: dict[str, Any], field: str
) -> None:
    error = refused(world, {"name": "x"} | members, ACME)

    assert (error.code, error.field) == (Code.INSUFFICIENT_PERMISSIONS, field)


def test_an_organization_makes_accounts_of_its_own(world: World) -> None:
    grants = {"of-acme": ["acme:run"], "shared": ["shared:*"], "broker": ["broker:accounts:read"]}

    account = world.create({"name": "x", "grants": grants, "organization": "acme"}, ACME)

    assert account.organization == "acme"
    assert account.client_id.startswith("m-")


def test_an_expiry_counts_from_the_moment_of_asking(world: World) -> None:
    world.now = NOW + 400 * DAY

    error = refused(world, {"name": "x", "expires_at": "2027-06-30T12:00:00Z"})

    assert error.field == "expires_at"
