"""`/oauth/introspect` (RFC 7662): who may know of a token, and whether it counts."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker.core import client_secret
from tests import client_secrets
from tests.registry_api import OPERATORS, RegistryClient, calling
from tests.running_broker import RunningBroker
from tests.service_tokens import verified_token
from tests.special_brokers import special_broker

SERVICES = """\
  guarded:
    audience: https://guarded.example
    scopes: {guarded:see: See, guarded:do: Do}
    introspection: [gateway]
service_accounts:
  gateway: {grants: {plain: []}, secrets: allowed}
  repo-ci: {grants: {guarded: ["guarded:*"]}, instances: [repository_id]}
policies:
  repo-ci:
    service_account: repo-ci
    issuer: github
    match: {repository_id: 456789, environment: guarded}
"""


def policies() -> str:
    """Put the service beside those of the operators, and its accounts and policy beside theirs."""
    services, accounts = SERVICES.split("service_accounts:\n")
    accounts, rules = accounts.split("policies:\n")
    text = OPERATORS.replace("service_accounts:\n", services + "service_accounts:\n" + accounts, 1)
    return text + rules


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), policies()) as running:
        yield running


@pytest.fixture(scope="module")
def admin(broker: RunningBroker) -> RegistryClient:
    return calling(broker, "admin")


@pytest.fixture(scope="module")
def gateway(admin: RegistryClient) -> Mapping[str, str]:
    """The credentials of the account that `guarded` lists."""
    made = admin("POST", "/gateway/secrets")
    assert made.status_code == 201, made.text
    return {"client_id": "gateway", "client_secret": made.json()["client_secret"]}


def credentials(made: Mapping[str, Any]) -> dict[str, str]:
    return {"client_id": made["id"], "client_secret": made["client_secret"]}


def of_a_job(broker: RunningBroker) -> str:
    """Get a token for `guarded` as a CI job."""
    answer = broker.exchange(broker.github_token(environment="guarded"), audience="guarded")
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


def asked(broker: RunningBroker, token: str, **form: str) -> httpx.Response:
    return broker.request("POST", "/oauth/introspect", data={"token": token, **form})


def told(broker: RunningBroker, token: str, form: Mapping[str, str]) -> dict[str, Any]:
    answer = asked(broker, token, **form)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    members: dict[str, Any] = answer.json()
    return members


def by_secret(broker: RunningBroker, made: Mapping[str, Any], service: str | None = None) -> str:
    """Get a token by the secret of an account, for its only service unless one is named."""
    answer = client_secrets.ask(broker, made["id"], made["client_secret"], audience=service)
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["access_token"]
    return token


NOTHING = {"active": False}


def test_a_service_that_lists_an_account_lets_it_see_its_tokens(
    broker: RunningBroker, gateway: Mapping[str, str]
) -> None:
    token = of_a_job(broker)

    members = told(broker, token, gateway)

    claims = verified_token(broker, token, audience="https://guarded.example")
    assert members == {**claims, "active": True, "token_type": "Bearer"}
    assert members["sub"] == "repo-ci:repository_id:456789"
    assert members["act"]["iss"] == "https://token.actions.githubusercontent.com"


def test_without_credentials_nobody_is_told_anything(broker: RunningBroker) -> None:
    answer = asked(broker, of_a_job(broker))

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic ")


def test_wrong_credentials_are_refused(broker: RunningBroker, gateway: Mapping[str, str]) -> None:
    token, wrong = of_a_job(broker), client_secret.generate("live", os.urandom)
    header = client_secrets.basic_header(gateway["client_id"], wrong)

    posted = asked(broker, token, client_id=gateway["client_id"], client_secret=wrong)
    basic = broker.request("POST", "/oauth/introspect", data={"token": token}, headers=header)

    assert (posted.status_code, posted.json()["error"]) == (400, "invalid_client")
    assert (basic.status_code, basic.json()["error"]) == (401, "invalid_client")


def test_a_hint_of_any_kind_changes_nothing(
    broker: RunningBroker, gateway: Mapping[str, str]
) -> None:
    for hint in ("access_token", "refresh_token", "x"):
        assert told(broker, of_a_job(broker), {**gateway, "token_type_hint": hint})["active"]


def test_an_account_sees_its_own_tokens(broker: RunningBroker, admin: RegistryClient) -> None:
    made = admin.create(grants={"plain": []})
    token = by_secret(broker, made)

    assert told(broker, token, credentials(made))["client_id"] == made["id"]


@pytest.mark.parametrize("grants", [{"plain": []}, {"broker": ["broker:accounts:read"]}])
def test_a_fellow_account_is_told_nothing(
    broker: RunningBroker, admin: RegistryClient, grants: dict[str, list[str]]
) -> None:
    fellow = admin.create(grants=grants)

    assert told(broker, of_a_job(broker), credentials(fellow)) == NOTHING


def test_who_may_introspect_sees_every_token(broker: RunningBroker, admin: RegistryClient) -> None:
    made = admin.create(grants={"broker": ["broker:introspect"]})

    assert told(broker, of_a_job(broker), credentials(made))["active"] is True


def test_what_is_no_token_of_ours_is_inactive(
    broker: RunningBroker, gateway: Mapping[str, str]
) -> None:
    ci_token = broker.github_token(environment="guarded")
    head, payload, signature = of_a_job(broker).split(".")
    edited = f"{head}.{payload}.{signature[:-4]}AAAA"

    for token in ("x", "a.b.c", ci_token, edited, "e30.e30.", "x" * 20_000):
        assert told(broker, token, gateway) == NOTHING


def test_a_revoked_token_is_inactive(broker: RunningBroker, gateway: Mapping[str, str]) -> None:
    token, other = of_a_job(broker), of_a_job(broker)
    broker.request("POST", "/oauth/revoke", data={"token": token})

    assert told(broker, token, gateway) == NOTHING
    assert told(broker, other, gateway)["active"] is True


def test_the_tokens_of_an_account_that_is_disabled_deleted_or_expired_are_inactive(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    seeing = credentials(admin.create(grants={"broker": ["broker:introspect"]}))
    for end in ("disable", "delete"):
        made = admin.create(grants={"plain": []})
        token = by_secret(broker, made)
        assert told(broker, token, seeing)["active"] is True
        if end == "disable":
            admin("PATCH", f"/{made['id']}", json={"enabled": False})
        else:
            admin("DELETE", f"/{made['id']}")
        assert told(broker, token, seeing) == NOTHING


def test_a_file_account_that_is_switched_off_has_no_active_tokens(
    broker: RunningBroker, admin: RegistryClient, gateway: Mapping[str, str]
) -> None:
    token = of_a_job(broker)
    admin("PATCH", "/repo-ci", json={"enabled": False})
    try:
        assert told(broker, token, gateway) == NOTHING
    finally:
        admin("PATCH", "/repo-ci", json={"enabled": True})


def test_a_scope_or_service_taken_from_the_account_is_gone(
    broker: RunningBroker, admin: RegistryClient, gateway: Mapping[str, str]
) -> None:
    made = admin.create(grants={"guarded": ["guarded:see", "guarded:do"], "plain": []})
    token = by_secret(broker, made, "guarded")
    assert told(broker, token, gateway)["scope"] == "guarded:do guarded:see"

    admin("PATCH", f"/{made['id']}", json={"grants": {"guarded": ["guarded:see"]}})
    assert told(broker, token, gateway)["scope"] == "guarded:see"

    admin("PATCH", f"/{made['id']}", json={"grants": {"guarded": None}})
    assert told(broker, token, gateway) == NOTHING


def test_the_networks_of_an_account_do_not_bind_the_service_that_asks(
    broker: RunningBroker, admin: RegistryClient, gateway: Mapping[str, str]
) -> None:
    made = admin.create(grants={"guarded": ["guarded:see"]}, allowed_networks=["127.0.0.0/8"])
    token = by_secret(broker, made)
    admin("PATCH", f"/{made['id']}", json={"allowed_networks": ["192.0.2.0/24"]})

    assert told(broker, token, gateway)["active"] is True


def test_a_token_of_a_moment_from_now_counts_and_one_that_is_over_does_not(
    tmp_path: Path,
) -> None:
    with special_broker(tmp_path, policies()) as broker:
        broker.clock.advance(100)  # the keys are as old as the broker
        admin = calling(broker, "admin")
        seeing = credentials(admin.create(grants={"broker": ["broker:introspect"]}))
        made = admin.create(grants={"plain": []})
        token, life = by_secret(broker, made), 600

        broker.clock.advance(-5)
        assert told(broker, token, seeing)["active"] is True
        broker.clock.advance(5 + life - 1)
        assert told(broker, token, seeing)["active"] is True
        broker.clock.advance(1)
        assert told(broker, token, seeing) == NOTHING
