"""API keys: a client secret as Bearer at `/api/v1`, and tokens that it has got there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client_secrets import ask, give_to_file_account
from tests.registry_api import OPERATORS, RegistryClient, calling, problem
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

IN_FILE = """\
  ops: {grants: {broker: ["broker:accounts:*"]}, secrets: allowed}
  per-repo:
    grants: {broker: ["broker:accounts:*"]}
    instances: [repository_id]
    secrets: allowed
policies:
  per-repo:
    service_account: per-repo
    issuer: github
    match: {repository_id: [456789, 1], environment: per-repo}
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    with special_broker(tmp_path, OPERATORS.replace("policies:\n", IN_FILE, 1)) as running:
        yield running


@pytest.fixture
def admin(broker: RunningBroker) -> RegistryClient:
    return calling(broker, "admin")


def test_the_audit_tells_the_instances_of_an_account_apart(broker: RunningBroker) -> None:
    ci_token = broker.github_token(environment="per-repo")
    token = broker.exchange(ci_token, audience="broker").json()["access_token"]

    made = with_key(broker, token).create()

    [event] = [each for each in broker.events() if each["target"] == made["id"]]
    assert event["actor"] == "per-repo:repository_id:456789"


def test_the_audit_is_searched_by_one_instance_of_an_account(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    for repository_id in ("456789", "1"):
        ci_token = broker.github_token(environment="per-repo", repository_id=repository_id)
        assert broker.exchange(ci_token, audience="broker").status_code == 200

    def found(account: str) -> list[str]:
        query = {"service_account_id": account}
        answer = broker.request("GET", "/api/v1/audit-logs", headers=admin.headers, params=query)
        return [event["sub"] for event in answer.json()["items"]]

    assert found("per-repo:repository_id:1") == ["per-repo:repository_id:1"]
    assert found("per-repo") == ["per-repo:repository_id:1", "per-repo:repository_id:456789"]
    assert found("other:repository_id:1") == []


def with_key(broker: RunningBroker, key: str) -> RegistryClient:
    return RegistryClient(broker, {"Authorization": f"Bearer {key}"})


def second_admin(admin: RegistryClient, **members: Any) -> dict[str, Any]:
    return admin.create(client_id="second", grants={"broker": ["broker:*"]}, **members)


def test_an_api_key_does_what_its_account_may(broker: RunningBroker, admin: RegistryClient) -> None:
    second = with_key(broker, second_admin(admin)["api_key"])

    made = second.create(client_id="nightly")

    assert made["client_secret"]
    [event] = [each for each in broker.events() if each["target"] == "nightly"]
    assert event["actor"] == "second"
    assert broker.request("GET", "/api/v1/keys", headers=second.headers).status_code == 200


def test_a_token_that_it_gets_does_the_same(broker: RunningBroker, admin: RegistryClient) -> None:
    key = second_admin(admin)["api_key"]
    answer = ask(broker, "second", key, audience="broker", scope="broker:accounts:read")
    second = with_key(broker, answer.json()["access_token"])

    assert "second" in second.ids()
    assert problem(second("POST", json={"name": "x"}), 403)[0] == "INSUFFICIENT_PERMISSIONS"


def test_a_secret_of_a_file_account_is_one_too(broker: RunningBroker) -> None:
    ops = with_key(broker, give_to_file_account(broker, "ops"))

    assert "ops" in ops.ids()


def test_a_key_is_over_at_once(broker: RunningBroker, admin: RegistryClient) -> None:
    key = second_admin(admin)["api_key"]
    token = ask(broker, "second", key, audience="broker").json()["access_token"]
    for patch in ({"enabled": False}, {"enabled": True}, {"grants": {"broker": None}}):
        admin("PATCH", "/second", json=patch)
        good = patch.get("enabled") is True
        for credential in (key, token):
            answer = with_key(broker, credential)("GET")
            assert (answer.status_code == 200) is good, answer.text
    admin("PATCH", "/second", json={"grants": {"broker": ["broker:*"]}})
    [secret] = admin.shown("/second/secrets")["items"]
    admin("DELETE", f"/second/secrets/{secret['id']}")
    assert problem(with_key(broker, key)("GET"), 401)[0] == "INVALID_API_KEY"
    assert with_key(broker, token)("GET").status_code == 200
    admin("DELETE", "/second")
    assert problem(with_key(broker, token)("GET"), 401)[0] == "INVALID_API_KEY"


@pytest.mark.parametrize(
    "patch", [{"secrets_allowed": False}, {"expires_at": "2026-11-21T23:00:00Z"}]
)
def test_a_key_is_over_with_what_its_account_may(
    broker: RunningBroker, admin: RegistryClient, patch: dict[str, Any]
) -> None:
    second = with_key(broker, second_admin(admin)["api_key"])
    assert second("GET").status_code == 200
    assert admin("PATCH", "/second", json=patch).status_code == 200
    broker.clock.advance(3600)

    assert problem(second("GET"), 401)[0] == "INVALID_API_KEY"


def test_a_key_expires_by_itself(broker: RunningBroker, admin: RegistryClient) -> None:
    second_admin(admin)
    expires = {"expires_at": "2026-11-21T23:00:00Z"}
    made = admin("POST", "/second/secrets", json=expires)
    assert made.status_code == 201, made.text
    second = with_key(broker, made.json()["client_secret"])
    assert second("GET").status_code == 200
    broker.clock.advance(3600)

    assert problem(second("GET"), 401)[0] == "INVALID_API_KEY"


@pytest.mark.parametrize("key", ["sa_live_", "sa_live_" + "a" * 56, "sa_", "sa_live_" + "é" * 9])
def test_what_is_no_key_is_refused(broker: RunningBroker, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}".encode("latin-1")}

    answer = broker.request("GET", "/api/v1/service-accounts", headers=headers)

    assert problem(answer, 401)[0] == "INVALID_API_KEY"
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_key_of_an_account_that_is_not_granted_broker_is_none_here(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    made = admin.create(grants={"plain": []})

    assert problem(with_key(broker, made["api_key"])("GET"), 401)[0] == "INVALID_API_KEY"


def test_a_key_is_good_from_its_networks_alone(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    key = second_admin(admin, allowed_networks=["192.0.2.0/24"])["api_key"]
    assert with_key(broker, key)("GET").status_code == 401
    admin("PATCH", "/second", json={"allowed_networks": ["127.0.0.0/8"]})

    assert with_key(broker, key)("GET").status_code == 200


def test_an_administrator_of_an_organization_stays_within_it(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    made = admin.create(organization="acme", grants={"broker": ["broker:*"]})
    acme = with_key(broker, made["api_key"])

    assert set(acme.ids()) == {"acme-admin", made["id"]}
    assert problem(acme("GET", "/admin"), 404)[0] == "NOT_FOUND"
    assert broker.request("GET", "/api/v1/keys", headers=acme.headers).status_code == 403


def test_none_is_one_of_an_account_with_an_identity_for_each_value_of_a_claim(
    broker: RunningBroker,
) -> None:
    per_repo = with_key(broker, give_to_file_account(broker, "per-repo"))

    assert problem(per_repo("GET"), 401)[0] == "INVALID_API_KEY"
