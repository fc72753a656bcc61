"""Each member of an account is read strictly, and a refusal names it."""

from typing import Any

import pytest

from broker.core.registry.refused import ChangeRefused, Code
from broker.testing.jws import generate_key, public_jwk
from tests.core.registry.world import World

KEY = public_jwk(generate_key("ES256"), "ES256", "k-1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", ""),
        ("name", None),
        ("name", 7),
        ("name", "x" * 101),
        ("name", "a\nb"),
        ("name", "a\u202eb"),
        ("description", "x" * 1001),
        ("description", ["x"]),
        ("grants", ["deploy-api"]),
        ("grants", {f"s{number}": [] for number in range(101)}),
        ("ttl", "10 minutes"),
        ("ttl", 0),
        ("ttl", -5),
        ("ttl", True),
        ("ttl", 1.5),
        ("ttl", 86_401),
        ("max_ttl", "25h"),
        ("metadata", ["x"]),
        ("metadata", {"": "x"}),
        ("metadata", {"a b": "x"}),
        ("metadata", {"team": "x" * 1024}),
        ("secrets_allowed", "yes"),
        ("secrets_allowed", None),
        ("enabled", 1),
        ("enabled", None),
        ("expires_at", "2027-06-30"),
        ("expires_at", "2027-06-30T12:00:00"),
        ("expires_at", "soon"),
        ("expires_at", 1_900_000_000),
        ("expires_at", "2026-01-01T00:00:00Z"),
        ("expires_at", "9999-12-31T23:59:59-23:59"),
        ("allowed_networks", "192.0.2.0/24"),
        ("allowed_networks", ["192.0.2.1/24"]),
        ("allowed_networks", ["everywhere"]),
        ("allowed_networks", ["fe80::%\x1b[31m/64"]),
        ("allowed_networks", ["fe80::%" + "x" * 5000 + "/64"]),
        ("allowed_networks", ["::1%eth0"]),
        ("allowed_networks", ["::ffff:192.0.2.0/120"]),
        ("allowed_networks", [f"192.0.2.{number}/32" for number in range(51)]),
        ("jwks", []),
        ("jwks", {}),
        ("jwks", {"keys": []}),
        ("jwks", {"keys": [KEY | {"d": "AA"}]}),
        ("jwks", {"keys": [KEY, {"kty": "oct", "kid": "s", "k": "AA"}]}),
        ("jwks", {"keys": [KEY], "more": "x" * 17_000}),
        ("jwks_uri", 7),
        ("jwks_uri", "http://keys.example/jwks"),
        ("jwks_uri", "https://keys.example/jwks#x"),
        ("jwks_uri", "https://me@keys.example/jwks"),
        ("jwks_uri", "https://keys.example/a b"),
        ("jwks_uri", "https://keys.example/é"),
        ("jwks_uri", "https://keys.example:port/"),
        ("jwks_uri", "https://"),
        ("jwks_uri", "https://keys.example/" + "x" * 2000),
        ("jwks_uri", "https://169.254.169.254/latest"),
        ("jwks_uri", "https://keys.example.evil.example/jwks"),
    ],
)
def test_a_member_that_cannot_be_is_refused_by_name(world: World, name: str, value: Any) -> None:
    with pytest.raises(ChangeRefused) as caught:
        world.create({"name": "x", name: value})

    assert (caught.value.code, caught.value.field) == (Code.INVALID_REQUEST, name)
    assert str(caught.value).startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("grants", "field", "sentence"),
    [
        ({"nothing": []}, "grants.nothing", "there is no service 'nothing'"),
        ({"deploy-api": "deploy:read"}, "grants.deploy-api", "must be a list of texts"),
        ({"deploy-api": ["deploy:undo"]}, "grants.deploy-api", "has no scope 'deploy:undo'"),
        ({"deploy-api": ["*"]}, "grants.deploy-api", "stands only at the end"),
        ({"deploy-api": ["undo:*"]}, "grants.deploy-api", "has no scope 'undo:*'"),
        ({"plain": ["x"]}, "grants.plain", "has no scopes; write []"),
    ],
)
def test_a_grant_outside_the_catalogue_is_refused(
    world: World, grants: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(
        ChangeRefused, match=sentence.replace("*", r"\*").replace("[]", r"\[\]")
    ) as (caught):
        world.create({"name": "x", "grants": grants})
    assert caught.value.field == field


@pytest.mark.parametrize(
    "item", [1.5, None, ["x"], {"x": 1}, 2**53 + 1, -(2**53) - 1, "a\udcff", "\x1b[31m", "a\0"]
)
def test_metadata_is_of_scalars(world: World, item: Any) -> None:
    with pytest.raises(ChangeRefused) as caught:
        world.create({"name": "x", "metadata": {"team": item}})
    assert caught.value.field == "metadata.team"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("description", ""),
        ("grants", {}),
        ("ttl", None),
        ("metadata", {}),
        ("expires_at", None),
        ("allowed_networks", ()),
        ("jwks", None),
        ("jwks_uri", None),
    ],
)
def test_null_stands_for_what_is_not_set(world: World, name: str, kept: object) -> None:
    assert getattr(world.create({"name": "x", name: None}), name) == kept


def test_keys_may_be_registered_in_place_or_under_a_host_that_is_configured(world: World) -> None:
    assert world.create({"name": "x", "jwks": {"keys": [KEY]}}).jwks == {"keys": [KEY]}
    uri = "https://keys.example/jwks.json"
    assert world.create({"name": "x", "jwks_uri": uri}).jwks_uri == uri


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"jwks": {"keys": [KEY]}, "jwks_uri": "https://keys.example/"}, "jwks_uri"),
        ({"jwks": {"keys": [KEY]}, "secrets_allowed": False}, "jwks"),
        ({"jwks_uri": "https://keys.example/", "secrets_allowed": False}, "jwks_uri"),
    ],
)
def test_registered_keys_are_of_one_kind_and_allowed(
    world: World, members: dict[str, Any], field: str
) -> None:
    with pytest.raises(ChangeRefused) as caught:
        world.create({"name": "x"} | members)
    assert caught.value.field == field
