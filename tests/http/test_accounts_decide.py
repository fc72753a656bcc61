"""Accounts that were made while the broker runs decide like those of the files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audited_broker import AuditedStore
from tests.client_secrets import ask
from tests.registry_api import OPERATORS, RegistryClient, calling
from tests.running_broker import RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

POLICY = """\
  nightly-main:
    service_account: nightly
    issuer: github
    match: {repository_id: 456789, environment: nightly}
    grants: {deploy-api: [deploy:read]}
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    with special_broker(tmp_path, OPERATORS + POLICY) as running:
        yield running


@pytest.fixture
def admin(broker: RunningBroker) -> RegistryClient:
    return calling(broker, "admin")


def exchange(broker: RunningBroker, **parameters: Any) -> Any:
    token = broker.github_token(environment="nightly", ref="refs/heads/ops")
    return broker.exchange(token, **parameters)


def reason(answer: Any) -> str:
    assert answer.status_code == 400, answer.text
    return str(answer.json()["reason"])


def test_jobs_act_as_an_account_that_a_policy_names(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    assert reason(exchange(broker)) == "account_disabled"

    admin.create(client_id="nightly", grants={"deploy-api": ["deploy:*"]}, metadata={"team": "w"})

    claims = verified(broker, exchange(broker))
    assert (claims["sub"], claims["scope"]) == ("nightly", "deploy:read")
    assert claims["metadata"] == {"team": "w"}
    assert claims["policy"] == "nightly-main"


def test_a_policy_narrows_it_whatever_it_is_granted_later(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    admin.create(client_id="nightly", grants={"deploy-api": ["deploy:read"]})
    admin("PATCH", "/nightly", json={"grants": {"deploy-api": ["deploy:*"], "artifacts": []}})

    assert reason(exchange(broker, scope="deploy:write")) == "scope_not_allowed"
    assert reason(exchange(broker, audience="artifacts")) == "target_unknown"


def test_it_is_switched_off_and_on_and_deleted_at_once(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    admin.create(client_id="nightly", grants={"deploy-api": ["deploy:*"]})
    admin("PATCH", "/nightly", json={"enabled": False})
    assert reason(exchange(broker)) == "account_disabled"
    admin("PATCH", "/nightly", json={"enabled": True})
    assert exchange(broker).status_code == 200
    admin("DELETE", "/nightly")
    assert reason(exchange(broker)) == "account_disabled"


def test_it_is_over_when_it_expires(broker: RunningBroker, admin: RegistryClient) -> None:
    ends = "2026-11-21T23:00:00Z"
    admin.create(client_id="nightly", grants={"deploy-api": ["deploy:*"]}, expires_at=ends)
    assert exchange(broker).status_code == 200
    broker.clock.advance(3600)

    assert reason(exchange(broker)) == "account_disabled"


def test_an_account_of_a_file_that_was_switched_off_gets_nothing(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    reader = calling(broker, "reader")
    for client_id in ("deploy-web", "reader"):
        assert admin("PATCH", f"/{client_id}", json={"enabled": False}).status_code == 200

    assert reason(broker.exchange(broker.github_token())) == "account_disabled"
    assert reader("GET").status_code == 401
    broker.reload(forced=True)
    assert reason(broker.exchange(broker.github_token())) == "account_disabled"
    admin("PATCH", "/deploy-web", json={"enabled": True})
    assert broker.exchange(broker.github_token()).status_code == 200


def test_its_secret_gets_tokens_too(broker: RunningBroker, admin: RegistryClient) -> None:
    made = admin.create(
        organization="acme", grants={"of-acme": ["acme:run"]}, metadata={"team": "w"}
    )
    answer = ask(broker, made["id"], made["client_secret"], audience="of-acme")

    claims = verified(broker, answer, audience="https://acme.example")
    assert (claims["sub"], claims["org_id"]) == (made["id"], "acme")
    admin("DELETE", f"/{made['id']}")
    assert ask(broker, made["id"], made["client_secret"], audience="of-acme").status_code == 400


def test_in_a_rotation_both_secrets_get_tokens(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    made = admin.create(client_id="nightly", grants={"deploy-api": ["deploy:read"]})
    new = admin("POST", "/nightly/secrets/rotate", json={"overlap": "1h"}).json()["client_secret"]
    secrets = made["client_secret"], new
    assert [ask(broker, "nightly", each).status_code for each in secrets] == [200, 200]

    broker.clock.advance(3600)

    assert [ask(broker, "nightly", each).status_code for each in secrets] == [400, 200]


def test_a_decision_by_an_account_of_the_store_is_explained_afterwards(
    broker: RunningBroker, admin: RegistryClient
) -> None:
    admin.create(client_id="nightly", grants={"deploy-api": ["deploy:*"]})
    verified(broker, exchange(broker))
    event = broker.decisions()[-1]
    shown = AuditedStore(broker).audit("list", "--decision", event["id"]).stdout

    assert "permit: nightly" in shown
    assert "what the store says of accounts is as of now: nightly" in shown
    assert "another one than the recorded" not in shown
