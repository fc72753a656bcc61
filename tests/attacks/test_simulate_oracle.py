"""Row 172: sets are tried until one answers "permit", or to read what others' tokens claimed."""

from collections.abc import Iterator

import pytest

from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

PATH = "/api/v1/policies/simulate"
SIMULATORS = """\
organizations: {acme: {description: One of them}}
service_accounts:
  reads-policies: {grants: {broker: [broker:policies:read]}}
  writes-policies: {grants: {broker: [broker:policies:write]}}
  reads-audit: {grants: {broker: [broker:audit:read]}}
  of-an-organization: {organization: acme, grants: {broker: ["broker:*"]}}
  may: {grants: {broker: ["broker:policies:write", "broker:audit:read"]}}
policies:
"""
NAMES = ("reads-policies", "writes-policies", "reads-audit", "of-an-organization", "may")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    policies = "".join(
        f"  {name}: {{service_account: {name}, issuer: github,"
        f" match: {{repository_id: 456789, environment: {name}}}}}\n"
        for name in NAMES
    )
    with special_broker(tmp_path_factory.mktemp("broker"), SIMULATORS + policies) as running:
        yield running


def bearer(broker: RunningBroker, account: str) -> dict[str, str]:
    ci_token = broker.github_token(environment=account, ref="refs/heads/ops")
    token = broker.exchange(ci_token, audience="broker").json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("account", NAMES[:-1])
def test_one_scope_alone_or_an_organization_is_not_enough(
    broker: RunningBroker, account: str
) -> None:
    answer = broker.request("POST", PATH, headers=bearer(broker, account), json={})

    assert (answer.status_code, answer.json()["code"]) == (403, "INSUFFICIENT_PERMISSIONS")


def test_without_credentials_nothing_is_read(broker: RunningBroker) -> None:
    assert broker.request("POST", PATH, json={"files": {"x.yaml": "{"}}).status_code == 401


def test_whoever_tries_is_on_record_each_time(broker: RunningBroker) -> None:
    headers = bearer(broker, "may")
    for _ in range(3):
        assert broker.request("POST", PATH, headers=headers, json={}).status_code == 200

    tried = [each for each in broker.events() if each["type"] == "policy.simulated"]
    assert [each["actor"] for each in tried[-3:]] == ["may"] * 3


def test_a_set_names_no_file_of_the_broker(broker: RunningBroker) -> None:
    text = "issuers: {other: {preset: gitlab, jwks_file: /etc/passwd}}\n"

    answer = broker.request(
        "POST", PATH, headers=bearer(broker, "may"), json={"files": {"x.yaml": text}}
    )

    assert answer.status_code == 409
    assert "root:" not in answer.text


def test_the_answer_tells_what_changes_and_no_claim_beside(broker: RunningBroker) -> None:
    broker.exchange(broker.github_token(actor="somebody"))
    text = "policies: {none: {effect: deny, issuer: github, match: {repository_id: 456789}}}\n"

    answer = broker.request(
        "POST", PATH, headers=bearer(broker, "may"), json={"files": {"x.yaml": text}}
    )

    assert answer.json()["newly_denied"] >= 1
    assert "somebody" not in answer.text
