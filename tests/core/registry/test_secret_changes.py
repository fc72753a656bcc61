"""Secrets are made, rotated with an overlap, and ended."""

from typing import Any

import pytest

from broker.core.registry.refused import ChangeRefused, Code
from broker.core.registry.secret_planning import MAX_SECRETS, SecretPlanning, secret_members
from tests.core.registry.world import ACCOUNTS, ACME, DAY, EVERYTHING, HOUR, NOW, World


@pytest.fixture
def world() -> World:
    """One account with the secret `s-1`."""
    world = World()
    world.create({"client_id": "nightly", "name": "Nightly", "grants": {"plain": []}})
    return world


def refused(world: World, client_id: str, planned: Any, by: Any = EVERYTHING) -> ChangeRefused:
    before = dict(world.secrets)
    with pytest.raises(ChangeRefused) as caught:
        world.on_secrets(client_id, planned, by)
    assert world.secrets == before
    return caught.value


def complete(world: World) -> list[tuple[str, str, Any]]:
    plan = world.on_secrets("nightly", SecretPlanning.completion)
    return [(each.type, each.target, each.changes) for each in plan.records]


def cancel(world: World) -> list[tuple[str, str, Any]]:
    plan = world.on_secrets("nightly", SecretPlanning.cancellation)
    return [(each.type, each.target, each.changes) for each in plan.records]


def revoke(world: World, secret_id: str) -> None:
    world.on_secrets("nightly", lambda each: each.revocation(secret_id))


def test_several_secrets_may_be_alive(world: World) -> None:
    for _ in range(MAX_SECRETS - 1):
        world.add_secret("nightly")

    assert len(world.alive("nightly")) == MAX_SECRETS
    new = world.new_secret()
    error = refused(world, "nightly", lambda each: each.creation({}, new))
    assert error.code == Code.CONFLICT
    error = refused(world, "nightly", lambda each: each.rotation({"secret_id": "s-1"}, new))
    assert error.code == Code.CONFLICT


def test_a_secret_may_expire(world: World) -> None:
    secret = world.add_secret("nightly", expires_at="2027-01-16T08:00:00Z")

    assert world.alive("nightly") == ["s-1", secret]
    world.now += DAY
    assert world.alive("nightly") == ["s-1"]


def test_a_revoked_secret_is_over(world: World) -> None:
    revoke(world, "s-1")

    assert world.alive("nightly") == []
    error = refused(world, "nightly", lambda each: each.revocation("s-1"))
    assert error.code == Code.NOT_FOUND


def test_in_a_rotation_both_secrets_hold_until_the_overlap_ends(world: World) -> None:
    new = world.rotate("nightly", overlap="24h")

    assert world.alive("nightly") == ["s-1", new]
    world.now += DAY - 1
    assert world.alive("nightly") == ["s-1", new]
    world.now += 1
    assert world.alive("nightly") == [new]


def test_when_the_overlap_is_over_another_rotation_may_begin(world: World) -> None:
    first = world.rotate("nightly", overlap=3600)
    world.now += HOUR

    assert refused(world, "nightly", SecretPlanning.completion).code == Code.CONFLICT
    second = world.rotate("nightly")

    assert world.alive("nightly") == [first, second]


def test_one_rotation_at_a_time(world: World) -> None:
    world.rotate("nightly")
    new = world.new_secret()

    error = refused(world, "nightly", lambda each: each.rotation({}, new))

    assert error.code == Code.CONFLICT


def test_a_completed_rotation_ends_the_old_secret_now(world: World) -> None:
    new = world.rotate("nightly")

    assert complete(world) == [("secret.completed", new, {"ended": "s-1"})]
    assert world.alive("nightly") == [new]
    assert world.secrets[new].replaces is None
    assert refused(world, "nightly", SecretPlanning.completion).code == Code.CONFLICT


def test_a_cancelled_rotation_drops_the_new_secret(world: World) -> None:
    new = world.rotate("nightly")

    assert cancel(world) == [("secret.cancelled", new, {"continued": "s-1"})]
    world.now += 100 * DAY
    assert world.alive("nightly") == ["s-1"]
    assert refused(world, "nightly", SecretPlanning.cancellation).code == Code.CONFLICT


def test_a_cancelled_rotation_leaves_the_old_secret_its_own_end(world: World) -> None:
    revoke(world, "s-1")
    old = world.add_secret("nightly", expires_at="2027-01-25T08:00:00Z")
    world.rotate("nightly", overlap="30d")
    assert world.secrets[old].expires_at == NOW + 10 * DAY

    cancel(world)

    world.now += 10 * DAY - 1
    assert world.alive("nightly") == [old]
    world.now += 1
    assert world.alive("nightly") == []


def test_a_new_secret_that_is_revoked_gives_the_old_one_its_life_back(world: World) -> None:
    new = world.rotate("nightly", overlap="1h")

    revoke(world, new)

    world.now += DAY
    assert world.alive("nightly") == ["s-1"]


def test_an_old_secret_may_be_revoked_before_its_overlap_ends(world: World) -> None:
    new = world.rotate("nightly")

    revoke(world, "s-1")

    assert world.alive("nightly") == [new]
    world.rotate("nightly")


def test_of_several_secrets_it_is_said_which_one_is_replaced(world: World) -> None:
    other = world.add_secret("nightly")
    new = world.new_secret()

    error = refused(world, "nightly", lambda each: each.rotation({}, new))
    assert (error.code, error.field) == (Code.INVALID_REQUEST, "secret_id")
    error = refused(world, "nightly", lambda each: each.rotation({"secret_id": "s-99"}, new))
    assert error.field == "secret_id"

    third = world.rotate("nightly", secret_id=other, overlap=0, expires_at="2028-01-01T00:00:00Z")
    assert world.alive("nightly") == ["s-1", third]


@pytest.mark.parametrize("overlap", ["31d", -1, "soon", None, True, 30 * 86_400 + 1])
def test_an_overlap_is_thirty_days_at_most(world: World, overlap: object) -> None:
    new = world.new_secret()

    error = refused(world, "nightly", lambda each: each.rotation({"overlap": overlap}, new))

    assert (error.code, error.field) == (Code.INVALID_REQUEST, "overlap")


@pytest.mark.parametrize("method", ["creation", "rotation"])
def test_unknown_members_are_refused_by_name(world: World, method: str) -> None:
    new = world.new_secret()

    error = refused(world, "nightly", lambda each: getattr(each, method)({"secret": "mine"}, new))

    assert (error.code, error.field) == (Code.INVALID_REQUEST, "secret")


def test_there_must_be_a_secret_to_rotate(world: World) -> None:
    revoke(world, "s-1")
    new = world.new_secret()

    assert refused(world, "nightly", lambda each: each.rotation({}, new)).code == Code.CONFLICT


def test_a_secret_of_an_earlier_incarnation_is_none(world: World) -> None:
    world.secrets["s-old"] = world.secrets["s-1"].__class__(
        "s-old", "nightly", "i-before", b"old", NOW
    )

    assert world.alive("nightly") == ["s-1"]
    error = refused(world, "nightly", lambda each: each.revocation("s-old"))
    assert error.code == Code.NOT_FOUND


def test_an_account_of_a_file_has_secrets_where_the_file_allows_them(world: World) -> None:
    secret = world.add_secret("cron")
    assert world.alive("cron") == [secret]

    new = world.new_secret()
    for planned in (
        lambda each: each.creation({}, new),
        lambda each: each.rotation({}, new),
    ):
        error = refused(world, "deploy-web", planned)
        assert error.code == Code.CONFLICT


@pytest.mark.parametrize("client_id", ["root", "boss"])
def test_nobody_makes_or_ends_a_secret_of_a_stronger_account(world: World, client_id: str) -> None:
    world.create({"client_id": "boss", "name": "Boss", "grants": {"broker": ["broker:*"]}})
    secret = world.add_secret(client_id)
    new = world.new_secret()

    for planned in (
        lambda each: each.creation({}, new),
        lambda each: each.rotation({"secret_id": secret}, new),
        lambda each: each.revocation(secret),
        SecretPlanning.completion,
        SecretPlanning.cancellation,
    ):
        error = refused(world, client_id, planned, ACCOUNTS)
        assert error.code == Code.INSUFFICIENT_PERMISSIONS


@pytest.mark.parametrize("client_id", ["acme-deployer", "acme-gateway"])
def test_an_organization_makes_no_secret_for_what_it_could_not_grant(
    world: World, client_id: str
) -> None:
    new = world.new_secret()

    error = refused(world, client_id, lambda each: each.creation({}, new), ACME)

    assert error.code == Code.INSUFFICIENT_PERMISSIONS
    world.add_secret("acme-runner", ACME)


def test_an_organization_sees_no_secrets_of_others(world: World) -> None:
    planning = SecretPlanning(world.rows("nightly"), ACME, world.policy_set, world.now)

    with pytest.raises(ChangeRefused) as caught:
        planning.shown()
    assert caught.value.code == Code.NOT_FOUND


@pytest.mark.parametrize(
    ("days", "warning"), [(0, None), (59, None), (60, "old"), (89, "old"), (90, "overdue")]
)
def test_an_old_secret_is_told_of(world: World, days: int, warning: str | None) -> None:
    secret = world.secrets["s-1"]

    assert secret_members(secret, NOW + 60, NOW + days * DAY) == {
        "id": "s-1",
        "client_id": "nightly",
        "created_at": "2027-01-15T08:00:00.000Z",
        "expires_at": None,
        "last_used_at": "2027-01-15T08:01:00.000Z",
        "age_days": days,
        "warning": warning,
        "replaces": None,
    }
