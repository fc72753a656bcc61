"""Row 131: claims of the CI token that would mean something in ours."""

from collections.abc import Iterator

import pytest

from tests.running_broker import GITHUB, NOW, RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

SMUGGLED = {
    "scope": "admin deploy:write billing:read",
    "scp": ["admin"],
    "admin": True,
    "roles": ["owner"],
    "groups": ["admins"],
    "entitlements": ["all"],
    "client_id": "deploy-admin",
    "azp": "deploy-admin",
    "org_id": "evil-org",
    "token_type": "root",
    "metadata": {"team": "evil"},
    "policy": "no-such-policy",
    "workload": {"platform": "github", "repository_id": "1", "admin": "true"},
    "act": {"iss": "https://evil.example", "sub": "root", "act": {"sub": "inner"}},
    "may_act": {"sub": "somebody"},
    "cnf": {"jkt": "x"},
    "typ": "at+jwt",
    "__proto__": {"admin": True},
    "iss\u0000": "https://evil.example",
}
MEMBERS = {
    "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "token_type", "scope", "org_id",
    "metadata", "act", "policy", "workload",
}  # fmt: skip
WORKLOAD = {
    "platform", "repository", "repository_id", "repository_owner", "repository_owner_id", "ref",
    "ref_type", "sha", "environment", "event_name", "run_id", "run_number", "run_attempt",
    "job_workflow_ref", "runner_environment", "actor_id",
}  # fmt: skip
IDS = {
    "platform", "repository_id", "repository_owner_id", "run_id", "run_attempt", "sha", "actor_id",
}  # fmt: skip
POLICIES = """\
services:
  ids-only: {audience: https://ids.example.com, workload: ids}
  nothing: {audience: https://nothing.example.com, workload: none}
service_accounts:
  discreet: {grants: {ids-only: [], nothing: []}}
policies:
  discreet: {service_account: discreet, issuer: github, match: {repository_id: 456789}}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


def test_nothing_but_the_known_claims_enters_a_service_token(broker: RunningBroker) -> None:
    token = broker.github_token(environment="prod", **SMUGGLED)

    claims = verified(broker, broker.exchange(token, scope="deploy:read"))

    assert claims.keys() == MEMBERS
    assert claims["scope"] == "deploy:read"
    assert claims["client_id"] == claims["sub"] == "deploy-web"
    assert claims["token_type"] == "service"
    assert claims["org_id"] == "octo-org"
    assert claims["metadata"] == {"team": "web"}
    assert claims["policy"] == "octo-main"
    assert claims["act"] == {"iss": GITHUB, "sub": "repo:octo-org/octo-repo:environment:prod"}
    assert claims["exp"] == NOW + 600
    assert claims["workload"].keys() == WORKLOAD
    assert claims["workload"]["repository_id"] == "456789"
    assert all(isinstance(value, str) for value in claims["workload"].values())


def test_a_claim_of_the_workload_is_copied_as_text_or_not_at_all(broker: RunningBroker) -> None:
    token = broker.github_token(
        environment=["prod", "admin"],
        sha={"admin": True},
        run_id=7,
        run_attempt=1.5,
        actor_id=True,
        sub="repo:octo-org/octo-repo:ref:refs/heads/main",
    )

    workload = verified(broker, broker.exchange(token))["workload"]

    assert {"environment", "sha", "run_attempt"}.isdisjoint(workload)
    assert workload["run_id"] == "7"
    assert workload["actor_id"] == "true"


@pytest.mark.parametrize(("service", "members"), [("ids-only", IDS), ("nothing", None)])
def test_a_service_may_be_told_less(
    broker: RunningBroker, service: str, members: set[str] | None
) -> None:
    answer = broker.exchange(broker.github_token(**SMUGGLED), audience=service)

    audience = f"https://{service.partition('-')[0]}.example.com"
    claims = verified(broker, answer, audience=audience)
    assert (claims["workload"].keys() if members else claims.get("workload")) == members
    assert "scope" not in claims


def test_what_an_issuer_without_preset_says_is_not_copied(broker: RunningBroker) -> None:
    token = broker.buildkite.token(
        {
            "sub": "organization:octo",
            "organization_id": "7b9a3c52-0000-4000-8000-000000000001",
            **SMUGGLED,
        },
        audience="https://broker.example",
    )

    claims = verified(broker, broker.exchange(token))

    assert claims.keys() == MEMBERS - {"workload"}
    assert claims["act"] == {"iss": "https://agent.buildkite.com", "sub": "organization:octo"}


def test_a_token_that_would_grow_too_large_drops_members_whole(broker: RunningBroker) -> None:
    token = broker.github_token(workflow_ref="w" * 3000, sub="repo:octo-org/octo-repo:" + "x" * 900)

    answer = broker.exchange(token)

    claims = verified(broker, answer)
    assert len(answer.json()["access_token"]) <= 4096
    assert "workload" not in claims
    assert claims["act"]["sub"].endswith("x" * 900)
