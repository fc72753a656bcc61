"""Attacks 146 and 151: who works on accounts changes what a reviewed policy gives, or to whom."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker.core.vocabulary import GRANT_TOKEN_EXCHANGE, TOKEN_TYPE_JWT
from tests.attacks.refusals import assert_refused
from tests.registry_api import OPERATORS, RegistryClient, calling
from tests.running_broker import RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

POLICIES = """\
  nightly-reads:
    service_account: nightly
    issuer: github
    match: {repository_id: 456789, environment: [nightly, both]}
    grants: {deploy-api: [deploy:read]}
    max_ttl: 5m
  also-deploys:
    service_account: deploy-web
    issuer: github
    match: {repository_id: 456789, environment: [both, files]}
  also-reads:
    service_account: second
    issuer: github
    match: {repository_id: 456789, environment: files}
"""
SECOND = "  second: {grants: {deploy-api: [deploy:read]}}\npolicies:\n"
WIDE = {"deploy-api": ["deploy:*"], "artifacts": ["artifacts:*"], "broker": ["broker:*"]}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    operators = OPERATORS.replace("policies:\n", SECOND, 1)
    with special_broker(tmp_path, operators + POLICIES) as running:
        yield running


@pytest.fixture
def admin(broker: RunningBroker) -> RegistryClient:
    return calling(broker, "admin")


def ask(broker: RunningBroker, environment: str, **asked: Any) -> httpx.Response:
    token = broker.github_token(environment=environment, ref="refs/heads/ops")
    return broker.exchange(token, **{"audience": "deploy-api", **asked})


# --- row 146 --------------------------------------------------------------------------------------


def test_an_account_that_is_widened_gives_no_more_than_its_policy(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    admin.create(client_id="nightly", grants={"deploy-api": ["deploy:read"]}, max_ttl=60)
    widened = admin("PATCH", "/nightly", json={"grants": WIDE, "ttl": 3600, "max_ttl": 3600})
    assert widened.status_code == 200, widened.text

    answer = ask(broker, "nightly", expires_in="3600")
    assert (verified(broker, answer)["scope"], answer.json()["expires_in"]) == ("deploy:read", 300)
    refused = ask(broker, "nightly", scope="deploy:write")
    assert_refused(broker, refused, "scope_not_allowed")
    for service in ("artifacts", "broker"):
        assert_refused(broker, ask(broker, "nightly", audience=service), "target_unknown")


def test_one_that_is_narrowed_gives_less_at_once(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    admin.create(client_id="nightly", grants={"deploy-api": ["deploy:*"]})
    assert ask(broker, "nightly", scope="deploy:read").status_code == 200
    admin("PATCH", "/nightly", json={"grants": {"deploy-api": ["deploy:write"]}})

    assert_refused(broker, ask(broker, "nightly", scope="deploy:read"), "scope_not_allowed")


def test_an_organization_gets_no_service_that_is_not_open_to_it(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    """That a policy of the operators names the account and the service changes nothing."""
    answer = admin(
        "POST",
        json={
            "name": "x",
            "client_id": "nightly",
            "organization": "acme",
            "grants": {"deploy-api": ["deploy:read"]},
        },
    )
    assert answer.status_code == 403, answer.text
    admin.create(client_id="nightly", organization="acme", grants={"of-acme": ["acme:run"]})

    assert_refused(broker, ask(broker, "nightly"), "scope_not_allowed")


# --- row 151 --------------------------------------------------------------------------------------


def leave_missing(_: RegistryClient) -> None:
    pass


def delete(admin: RegistryClient) -> None:
    admin.create(client_id="nightly", grants={"deploy-api": ["deploy:read"]})
    assert admin("DELETE", "/nightly").status_code == 204


def switch_off(admin: RegistryClient) -> None:
    admin.create(client_id="nightly", grants={"deploy-api": ["deploy:read"]}, enabled=False)


def let_expire(admin: RegistryClient) -> None:
    ends = "2026-11-21T23:00:00Z"
    admin.create(client_id="nightly", grants={"deploy-api": ["deploy:read"]}, expires_at=ends)
    admin.broker.clock.advance(3600)


@pytest.mark.parametrize("end", [leave_missing, delete, switch_off, let_expire])
def test_an_account_that_is_no_more_does_not_hand_its_place_to_a_stronger_one(
    broker: RunningBroker, admin: RegistryClient, end: Any
) -> None:
    end(admin)

    answer = ask(broker, "both")
    assert_refused(broker, answer, "ambiguous_account")
    assert answer.json()["service_accounts"] == ["deploy-web", "nightly"]
    assert_refused(broker, ask(broker, "both", client_id="nightly"), "account_disabled")
    other = verified(broker, ask(broker, "both", client_id="deploy-web"))
    assert other["client_id"] == "deploy-web"


def test_nor_does_one_of_a_file_that_is_switched_off_here(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    assert admin("PATCH", "/second", json={"enabled": False}).status_code == 200

    answer = ask(broker, "files")
    assert_refused(broker, answer, "ambiguous_account")
    assert answer.json()["service_accounts"] == ["deploy-web", "second"]
    assert_refused(broker, ask(broker, "files", client_id="second"), "account_disabled")


def test_what_is_explained_agrees(broker: RunningBroker, admin: RegistryClient) -> None:
    def explained() -> tuple[Any, ...]:
        form = {
            "grant_type": GRANT_TOKEN_EXCHANGE,
            "subject_token": broker.github_token(environment="nightly", ref="refs/heads/ops"),
            "subject_token_type": TOKEN_TYPE_JWT,
            "audience": "deploy-api",
        }
        body = broker.request("POST", "/oauth/explain", data=form).json()
        return body["decision"], body["reason"], body["service_account"], body["scopes"]

    assert explained() == ("deny", "account_disabled", None, None)
    admin.create(client_id="nightly", grants=WIDE)
    assert explained() == ("permit", None, "nightly", ["deploy:read"])
    admin("PATCH", "/nightly", json={"enabled": False})
    assert explained() == ("deny", "account_disabled", None, None)
