"""`/api/v1/service-accounts` over real HTTP, on a real store."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.core import client_secret
from tests.registry_api import OPERATORS, PATH, RegistryClient, calling, problem
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """One broker; each test makes accounts of its own."""
    folder = tmp_path_factory.mktemp("registry")
    with special_broker(folder, OPERATORS, max_accounts=1000) as running:
        yield running


@pytest.fixture
def admin(broker: RunningBroker) -> RegistryClient:
    """Who may do everything."""
    return calling(broker, "admin")


def events(broker: RunningBroker, account: str) -> list[dict[str, Any]]:
    return [each for each in broker.events() if each["service_account"] == account]


def test_an_account_is_made_with_a_secret_that_is_shown_once(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    answer = admin(
        "POST", json={"name": "Cron", "grants": {"plain": []}, "metadata": {"team": "web"}}
    )

    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert re.fullmatch(r"m-[0-9a-z]{20}", made["id"])
    assert answer.headers["location"] == f"{PATH}/{made['id']}"
    assert answer.headers["cache-control"] == "no-store"
    secret = made.pop("client_secret")
    assert made.pop("api_key") == secret
    assert secret.startswith("sa_live_")
    assert client_secret.is_well_formed(secret)
    assert admin.shown(f"/{made['id']}") == made
    assert made["client_id"] == made["id"]
    assert made["managed_by"] == "api"
    kept = b"".join(path.read_bytes() for path in broker.folder.glob("broker.db*"))
    assert secret.encode() not in kept
    assert secret not in str(broker.events())


def test_what_was_done_is_on_record_with_who_did_it(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    client_id = admin.create(client_id="on-record")["id"]
    admin("PATCH", f"/{client_id}", json={"ttl": "5m", "enabled": False})
    admin("PATCH", f"/{client_id}", json={"enabled": True})
    [secret] = admin.shown(f"/{client_id}/secrets")["items"]
    admin("POST", f"/{client_id}/secrets/rotate", json={})
    admin("POST", f"/{client_id}/secrets/rotate/cancel")
    admin("POST", f"/{client_id}/secrets/rotate", json={"overlap": "1h"})
    admin("POST", f"/{client_id}/secrets/rotate/complete")
    [left] = admin.shown(f"/{client_id}/secrets")["items"]
    admin("DELETE", f"/{client_id}/secrets/{left['id']}")
    admin("DELETE", f"/{client_id}")

    found = events(broker, client_id)

    assert [(each["type"], each["target"]) for each in found][:5] == [
        ("account.created", client_id),
        ("secret.created", secret["id"]),
        ("account.updated", client_id),
        ("account.disabled", client_id),
        ("account.enabled", client_id),
    ]
    assert [each["type"] for each in found][5:] == [
        "secret.rotated",
        "secret.cancelled",
        "secret.rotated",
        "secret.completed",
        "secret.revoked",
        "account.deleted",
    ]
    assert {each["actor"] for each in found} == {"admin"}
    assert {each["outcome"] for each in found} == {"success"}
    assert all(each["request_id"] and each["client_address"] for each in found)
    assert found[2]["changes"] == {"ttl": [None, 300]}


def test_a_patch_shows_the_account_as_it_is_now(admin: RegistryClient) -> None:
    client_id = admin.create(metadata={"team": "web"})["id"]

    answer = admin(
        "PATCH",
        f"/{client_id}",
        content=b'{"name": "Night", "metadata": {"team": null, "on": true}}',
    )

    assert answer.status_code == 200, answer.text
    assert answer.json() == admin.shown(f"/{client_id}")
    assert answer.json()["name"] == "Night"
    assert answer.json()["metadata"] == {"on": True}


def test_a_patch_may_say_what_it_is(admin: RegistryClient) -> None:
    client_id = admin.create()["id"]
    headers = admin.headers | {"content-type": "application/merge-patch+json; charset=utf-8"}

    answer = admin.broker.request(
        "PATCH", f"{PATH}/{client_id}", headers=headers, content=b'{"name": "Night"}'
    )

    assert answer.json()["name"] == "Night"


def test_a_deleted_account_is_gone(admin: RegistryClient) -> None:
    client_id = admin.create(client_id="for-a-while")["id"]

    answer = admin("DELETE", f"/{client_id}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-length" not in answer.headers
    assert problem(admin("GET", f"/{client_id}"), 404)[0] == "NOT_FOUND"
    assert problem(admin("DELETE", f"/{client_id}"), 404)[0] == "NOT_FOUND"
    assert problem(admin("GET", f"/{client_id}/secrets"), 404)[0] == "NOT_FOUND"
    taken = admin("POST", json={"name": "x", "client_id": client_id})
    assert problem(taken, 409) == ("CONFLICT", "client_id")


def test_lists_show_the_accounts_of_files_and_others_by_id(
    tmp_path: Path,
) -> None:
    with special_broker(tmp_path, OPERATORS) as running:
        admin = calling(running, "admin")
        for name in ("aa", "zz", "reader2"):
            admin.create(client_id=name)
        whole = admin.ids()

        assert whole == sorted(whole)
        assert whole == [
            "aa", "acme-admin", "admin", "deploy-web", "reader", "reader2", "umbrella-admin",
            "writer", "zz",
        ]  # fmt: skip
        for size in (1, 2, 4, 8, 9, 100):
            pages, cursor = [], ""
            while True:
                page = admin.shown(f"?limit={size}{cursor}")
                assert len(page["items"]) <= size
                pages += [each["id"] for each in page["items"]]
                if "next_cursor" not in page:
                    break
                cursor = f"&cursor={page['next_cursor']}"
            assert pages == whole
        by_id = {each["id"]: each for each in admin.shown("")["items"]}
        assert by_id["aa"]["managed_by"] == "api"
        assert by_id["reader"]["managed_by"] == "file"
        assert admin.ids("?organization=acme") == ["acme-admin"]
        assert admin.ids("?organization=nobody") == []


def test_a_cursor_goes_on_with_the_same_list_alone(admin: RegistryClient) -> None:
    cursor = admin.shown("?limit=1")["next_cursor"]
    services = admin.broker.request(
        "GET", "/api/v1/services", params={"limit": 1}, headers=admin.headers
    ).json()["next_cursor"]

    assert admin.shown(f"?limit=2&cursor={cursor}")["items"]
    for foreign in (f"?cursor={cursor}&organization=acme", f"?cursor={services}"):
        assert problem(admin("GET", foreign), 400) == ("INVALID_REQUEST", "cursor")


def test_an_account_of_a_file_is_disabled_and_enabled_here(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    reader = calling(broker, "reader")
    assert reader("GET").status_code == 200

    answer = admin("PATCH", "/reader", json={"enabled": False})

    assert answer.json()["enabled"] is False
    assert admin.shown("/reader")["enabled"] is False
    assert admin("PATCH", "/reader", json={"enabled": True}).json()["enabled"] is True
    assert problem(admin("PATCH", "/reader", json={"name": "x"}), 409)[0] == "CONFLICT"
    assert problem(admin("DELETE", "/reader"), 409)[0] == "CONFLICT"


def test_secrets_are_listed_without_themselves(admin: RegistryClient) -> None:
    client_id = admin.create()["id"]

    answer = admin("POST", f"/{client_id}/secrets", json={"expires_at": "2030-01-01T00:00:00Z"})

    assert answer.status_code == 201, answer.text
    made = answer.json()
    secret = made.pop("client_secret")
    assert made.pop("api_key") == secret
    items = admin.shown(f"/{client_id}/secrets")["items"]
    assert made in items
    assert made["expires_at"] == "2030-01-01T00:00:00.000Z"
    assert secret not in str(items)


def test_a_rotation_has_two_secrets_until_it_is_complete(admin: RegistryClient) -> None:
    client_id = admin.create()["id"]
    [old] = admin.shown(f"/{client_id}/secrets")["items"]

    rotated = admin("POST", f"/{client_id}/secrets/rotate", json={"overlap": "24h"})

    assert rotated.status_code == 201, rotated.text
    new = rotated.json()
    assert client_secret.is_well_formed(new["client_secret"])
    assert new["replaces"] == old["id"]
    both = {each["id"] for each in admin.shown(f"/{client_id}/secrets")["items"]}
    assert both == {old["id"], new["id"]}
    again = admin("POST", f"/{client_id}/secrets/rotate", json={"overlap": "24h"})
    assert problem(again, 409)[0] == "CONFLICT"
    completed = admin("POST", f"/{client_id}/secrets/rotate/complete")
    assert (completed.status_code, completed.json()["id"]) == (200, new["id"])
    assert [each["id"] for each in admin.shown(f"/{client_id}/secrets")["items"]] == [new["id"]]
    over = admin("POST", f"/{client_id}/secrets/rotate/cancel")
    assert problem(over, 409)[0] == "CONFLICT"


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({}, "name"),
        ({"name": "x", "ttl": "2d"}, "ttl"),
        ({"name": "x", "grants": {"nothing": []}}, "grants.nothing"),
        ({"name": "x", "client_id": "m-mine"}, "client_id"),
        ({"name": "x", "colour": "red"}, "colour"),
        ({"name": "x", "jwks_uri": "https://keys.example/"}, "jwks_uri"),
    ],
)
def test_a_problem_names_the_field_at_fault_and_nothing_is_made(
    admin: RegistryClient, members: dict[str, Any], field: str
) -> None:
    before = admin.ids("?limit=100")

    assert problem(admin("POST", json=members), 400) == ("INVALID_REQUEST", field)
    assert admin.ids("?limit=100") == before


def test_a_patch_that_is_refused_changes_nothing(admin: RegistryClient) -> None:
    made = admin.create()
    before = admin.shown(f"/{made['id']}")

    answer = admin("PATCH", f"/{made['id']}", json={"name": "y", "id": "z"})

    assert problem(answer, 400) == ("INVALID_REQUEST", "id")
    assert admin.shown(f"/{made['id']}") == before


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"name": "x", "name": "y"}', b'{"name": NaN}'])
def test_a_body_that_is_no_json_object_is_refused(admin: RegistryClient, body: bytes) -> None:
    assert problem(admin("POST", content=body), 400)[0] == "INVALID_REQUEST"


def test_a_body_of_another_type_is_refused(admin: RegistryClient) -> None:
    assert problem(admin("POST", data={"name": "x"}), 415)[0] == "INVALID_REQUEST"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?limit=0", "limit"),
        ("?limit=1001", "limit"),
        ("?limit=ten", "limit"),
        ("?limit=1&limit=2", "limit"),
        ("?cursor=%21", "cursor"),
        ("?cursor=QUJD", "cursor"),
        ("?cursor=é", "cursor"),
        ("?page=2", "page"),
    ],
)
def test_a_parameter_that_is_not_understood_is_named(
    admin: RegistryClient, query: str, field: str
) -> None:
    assert problem(admin("GET", query), 400) == ("INVALID_REQUEST", field)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("POST", ""), ("GET", "/x1"), ("PATCH", "/x1"), ("DELETE", "/x1"),
        ("GET", "/x1/secrets"), ("POST", "/x1/secrets"), ("DELETE", "/x1/secrets/s"),
        ("POST", "/x1/secrets/rotate"), ("POST", "/x1/secrets/rotate/complete"),
        ("POST", "/x1/secrets/rotate/cancel"),
    ],
)  # fmt: skip
def test_every_endpoint_wants_its_scope(broker: RunningBroker, method: str, path: str) -> None:
    reader = calling(broker, "reader")

    answer = broker.request(method, PATH + path)
    assert problem(answer, 401)[0] == "INVALID_API_KEY"
    assert answer.headers["www-authenticate"].startswith('Bearer realm="broker", resource_')
    if method == "GET":
        assert reader(method, path).status_code in {200, 404}
        return
    answer = reader(method, path)
    assert problem(answer, 403)[0] == "INSUFFICIENT_PERMISSIONS"
    assert 'scope="broker:accounts:write"' in answer.headers["www-authenticate"]


def test_the_account_limit_has_a_code_of_its_own(tmp_path: Path) -> None:
    with special_broker(tmp_path, OPERATORS, max_accounts=2) as running:
        admin = calling(running, "admin")
        for _ in range(2):
            admin.create()

        assert problem(admin("POST", json={"name": "x"}), 409)[0] == "ACCOUNT_LIMIT"
        admin.create(organization="acme")


def test_accounts_outlive_the_broker(tmp_path: Path) -> None:
    with special_broker(tmp_path, OPERATORS) as running:
        made = calling(running, "admin").create(client_id="nightly")
        made.pop("client_secret")
        made.pop("api_key")
    with special_broker(tmp_path, OPERATORS) as running:
        running.clock.advance(60)
        assert calling(running, "admin").shown("/nightly") == made
