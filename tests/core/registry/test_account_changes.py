"""A merge patch changes an account, or is refused whole; deletion is for good."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.policy import PolicySet
from broker.core.registry.account_planning import plan_patch
from broker.core.registry.refused import ChangeRefused, Code
from broker.testing.jws import generate_key, public_jwk
from tests.core.registry.world import ACCOUNTS, ACME, EVERYTHING, NOW, POLICIES, World

KEY = public_jwk(generate_key("ES256"), "ES256", "k-1")


@pytest.fixture
def world() -> World:
    """One account beside those of the files."""
    world = World()
    world.create(
        {
            "client_id": "nightly",
            "name": "Nightly",
            "grants": {"deploy-api": ["deploy:read"], "plain": []},
            "metadata": {"team": "web", "tier": 2},
        }
    )
    world.now = NOW + 60
    return world


def recorded(world: World, client_id: str, patch: dict[str, Any]) -> list[tuple[str, Any]]:
    plan = plan_patch(world.rows(client_id), patch, EVERYTHING, world.reading())
    return [(record.type, record.changes) for record in plan.records]


def refused(world: World, client_id: str, patch: dict[str, Any], by: Any = EVERYTHING) -> Any:
    before = dict(world.accounts), dict(world.overrides)
    with pytest.raises(ChangeRefused) as caught:
        world.patch(client_id, patch, by)
    assert before == (world.accounts, world.overrides)
    return caught.value


def test_a_patch_changes_what_it_names(world: World) -> None:
    after = world.patch(
        "nightly",
        {"name": "Night", "grants": {"plain": None}, "metadata": {"tier": None, "on": True}},
    )

    assert after.name == "Night"
    assert after.grants == {"deploy-api": ("deploy:read",)}
    assert after.metadata == {"team": "web", "on": True}
    assert (after.created_at, after.updated_at) == (NOW, NOW + 60)


def test_null_takes_away_the_whole(world: World) -> None:
    after = world.patch("nightly", {"grants": None, "metadata": None})

    assert after.grants == {}
    assert after.metadata == {}


@pytest.mark.parametrize("patch", [{}, {"name": "Nightly"}, {"metadata": {"team": "web"}}])
def test_a_patch_that_changes_nothing_is_not_recorded(world: World, patch: Any) -> None:
    plan = plan_patch(world.rows("nightly"), patch, EVERYTHING, world.reading())

    assert plan.is_empty
    assert world.patch("nightly", patch).updated_at == NOW


@pytest.mark.parametrize("by", [EVERYTHING, ACME])
def test_an_account_is_switched_off_though_a_service_has_closed_itself_to_it(by: Any) -> None:
    world = World()
    made = world.create(
        {"name": "x", "organization": "acme", "grants": {"of-acme": ["acme:run"]}}, EVERYTHING
    )
    closed = replace(POLICIES.services["of-acme"], organizations=("umbrella",))
    world.policy_set = replace(POLICIES, services={**POLICIES.services, "of-acme": closed})

    after = world.patch(made.client_id, {"enabled": False, "grants": {"shared": []}}, by)

    assert not after.enabled
    assert after.scopes == {"shared": frozenset()}
    error = refused(world, made.client_id, {"grants": {"of-acme": ["acme:*"]}}, by)
    assert (error.code, error.field) == (Code.INSUFFICIENT_PERMISSIONS, "grants.of-acme")


def test_what_changed_is_recorded_as_the_old_and_the_new(world: World) -> None:
    assert recorded(world, "nightly", {"ttl": "5m", "enabled": False}) == [
        ("account.updated", {"ttl": [None, 300]}),
        ("account.disabled", {"enabled": [True, False]}),
    ]


def test_of_registered_keys_the_audit_has_ids_and_a_digest(world: World) -> None:
    [(_, changes)] = recorded(world, "nightly", {"jwks": {"keys": [KEY]}})

    [before, after] = changes["jwks"]
    assert before is None
    assert after["kids"] == ["k-1"]
    assert len(after["sha256"]) == 64


def test_an_account_is_disabled_and_enabled(world: World) -> None:
    assert not world.patch("nightly", {"enabled": False}).enabled
    assert recorded(world, "nightly", {"enabled": True}) == [
        ("account.enabled", {"enabled": [False, True]})
    ]


@pytest.mark.parametrize(
    "name",
    [
        "id", "client_id", "organization", "managed_by", "created_at", "updated_at",
        "last_used_at", "services", "scopes", "permissions", "incarnation", "anything",
    ],
)  # fmt: skip
def test_members_that_cannot_be_changed_are_refused_by_name(world: World, name: str) -> None:
    error = refused(world, "nightly", {"name": "Night", name: "x"})

    assert (error.code, error.field) == (Code.INVALID_REQUEST, name)


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"grants": {"deploy-api": ["deploy:undo"]}}, "grants.deploy-api"),
        ({"grants": ["x"]}, "grants"),
        ({"metadata": {"more": "x" * 1010}}, "metadata"),
        ({"jwks": {"keys": [KEY]}, "secrets_allowed": False}, "jwks"),
    ],
)
def test_a_patch_with_a_fault_is_refused_whole(
    world: World, patch: dict[str, Any], field: str
) -> None:
    assert refused(world, "nightly", {"name": "Night"} | patch).field == field


@pytest.mark.parametrize(
    ("grants", "by", "field"),
    [
        ({"broker": ["broker:*"]}, ACCOUNTS, "grants.broker"),
        ({"of-acme": ["acme:run"]}, EVERYTHING, "grants.of-acme"),
    ],
)
def test_a_patch_that_would_widen_beyond_the_rules_is_refused_whole(
    world: World, grants: Any, by: Any, field: str
) -> None:
    error = refused(world, "nightly", {"name": "Night", "grants": grants}, by)

    assert (error.code, error.field) == (Code.INSUFFICIENT_PERMISSIONS, field)


@pytest.mark.parametrize("patch", [{"name": "x"}, {"enabled": False}, {"grants": None}, {}])
def test_whoever_is_weaker_changes_nothing_of_a_stronger_account(world: World, patch: Any) -> None:
    world.create({"client_id": "boss", "name": "Boss", "grants": {"broker": ["broker:*"]}})

    error = refused(world, "boss", patch, ACCOUNTS)

    assert error.code == Code.INSUFFICIENT_PERMISSIONS
    with pytest.raises(ChangeRefused):
        world.delete("boss", ACCOUNTS)


def test_what_is_gone_from_the_catalogue_stands_in_nobodys_way(world: World) -> None:
    services = {name: each for name, each in POLICIES.services.items() if name != "deploy-api"}
    world.policy_set = PolicySet({}, services, {}, {})

    after = world.patch("nightly", {"grants": {"plain": None}})

    assert after.grants == {"deploy-api": ("deploy:read",)}
    assert after.scopes == {}


def test_others_accounts_are_not_there(world: World) -> None:
    error = refused(world, "nightly", {"name": "x"}, ACME)

    assert error.code == Code.NOT_FOUND
    assert str(error) == str(refused(world, "nobody", {"name": "x"}, ACME))
    with pytest.raises(ChangeRefused, match="no such"):
        world.delete("nightly", ACME)


def test_a_deleted_account_is_gone_and_its_row_stays(world: World) -> None:
    plan = world.delete("nightly")

    assert world.accounts["nightly"].deleted_at == NOW + 60
    assert world.secrets == {}
    [record] = plan.records
    assert (record.type, record.changes) == ("account.deleted", {"revoked_secrets": ["s-1"]})
    assert refused(world, "nightly", {"name": "x"}).code == Code.NOT_FOUND
    with pytest.raises(ChangeRefused):
        world.delete("nightly")


# --- accounts of files --------------------------------------------------------------------------


def test_an_account_of_a_file_can_be_disabled_and_that_lifted_again(world: World) -> None:
    after = world.patch("deploy-web", {"enabled": False})
    assert (after.enabled, after.managed_by, after.updated_at) == (False, "file", NOW + 60)
    assert recorded(world, "deploy-web", {"enabled": False}) == []

    assert world.patch("deploy-web", {"enabled": True}).enabled
    assert world.patch("deploy-web", {}).enabled


def test_what_a_file_disables_stays_disabled(world: World) -> None:
    assert refused(world, "off", {"enabled": True}).code == Code.CONFLICT
    assert not world.patch("off", {"enabled": False}).enabled


@pytest.mark.parametrize("patch", [{"name": "x"}, {"enabled": False, "ttl": 60}])
def test_nothing_else_of_it_can_be_changed(world: World, patch: dict[str, Any]) -> None:
    assert refused(world, "deploy-web", patch).code == Code.CONFLICT
    with pytest.raises(ChangeRefused) as caught:
        world.delete("deploy-web")
    assert caught.value.code == Code.CONFLICT


def test_an_account_of_a_file_is_shown_like_any_other(world: World) -> None:
    members = world.account("acme-runner").members(None)

    assert members["managed_by"] == "file"
    assert members["grants"] == {"of-acme": ["acme:run"]}
    assert members["name"] == members["id"] == "acme-runner"
    assert members["created_at"] is members["last_used_at"] is None
