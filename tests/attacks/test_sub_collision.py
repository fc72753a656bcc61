"""Row 130: two workloads that end up with the same `sub`, one of them by choosing its names."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from broker.cli.app import app
from broker.testing import gitlab_claims
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

ARTIFACTS = "https://artifacts.example.com"
POLICIES = """\
service_accounts:
  repo-ci:
    grants: {artifacts: [artifacts:write]}
    instances: [repository_id]
  env-ci:
    grants: {artifacts: [artifacts:write]}
    instances: [repository_id, environment]
  a-name-of-many-characters-that-leaves-little-room-for-a-value:
    grants: {artifacts: [artifacts:write]}
    instances: [repository_id]
  project-ci:
    grants: {artifacts: [artifacts:write]}
    instances: [project_id]
policies:
  every-project:
    service_account: project-ci
    issuer: gitlab
    match: {project_id: [20, 21]}
  every-project-of-ours:
    service_account: project-ci
    issuer: gitlab-corp
    match: {namespace_id: 72}
  every-repository:
    service_account: repo-ci
    issuer: github
    match: {repository_owner_id: 123456}
  its-environments:
    service_account: env-ci
    issuer: github
    match:
      repository_owner_id: 123456
      environment: [prod, "prod:repository_id:1", "../prod", "größe"]
  long-name:
    service_account: a-name-of-many-characters-that-leaves-little-room-for-a-value
    issuer: github
    match: {repository_owner_id: 123456}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


def publish(broker: RunningBroker, account: str, **claims: Any) -> httpx.Response:
    token = broker.github_token(**claims)
    return broker.exchange(token, audience="artifacts", client_id=account)


def test_a_plain_account_is_its_own_subject(broker: RunningBroker) -> None:
    claims = verified(broker, broker.exchange(broker.github_token()))

    assert claims["sub"] == claims["client_id"] == "deploy-web"


def test_an_instance_is_named_by_the_account_and_the_claim(broker: RunningBroker) -> None:
    claims = verified(broker, publish(broker, "repo-ci"), audience=ARTIFACTS)

    assert claims["sub"] == "repo-ci:repository_id:456789"
    assert claims["client_id"] == "repo-ci"


def test_two_repositories_are_two_subjects(broker: RunningBroker) -> None:
    subs = {
        verified(broker, publish(broker, "repo-ci", repository_id=id_), audience=ARTIFACTS)["sub"]
        for id_ in ("1", "2", "12")
    }

    assert len(subs) == 3


@pytest.mark.parametrize(
    "value",
    ["1:repository_id:2", "1:", ":1", "../1", "1/2", "1 2", "1%3A2", "x" * 101, "", None],
    ids=repr,
)
def test_a_value_outside_its_grammar_names_nobody(broker: RunningBroker, value: Any) -> None:
    answer = publish(broker, "repo-ci", repository_id=value)

    event = assert_refused(broker, answer, "claim_invalid")
    assert event["policies"] == ["every-repository"]


@pytest.mark.parametrize("environment", ["prod:repository_id:1", "../prod", "größe"])
def test_nor_does_one_that_a_policy_names_literally(
    broker: RunningBroker, environment: str
) -> None:
    assert_refused(broker, publish(broker, "env-ci", environment=environment), "claim_invalid")


def test_a_name_that_ignores_case_is_one_subject(broker: RunningBroker) -> None:
    subs = {
        verified(broker, publish(broker, "env-ci", environment=name), audience=ARTIFACTS)["sub"]
        for name in ("prod", "Prod", "PROD")
    }

    assert subs == {"env-ci:repository_id:456789:environment:prod"}


def test_a_subject_is_never_cut_to_its_127_bytes(broker: RunningBroker) -> None:
    account = "a-name-of-many-characters-that-leaves-little-room-for-a-value"
    room = 127 - len(f"{account}:repository_id:")

    fits = verified(broker, publish(broker, account, repository_id="9" * room), audience=ARTIFACTS)
    too_long = publish(broker, account, repository_id="9" * (room + 1))

    assert len(fits["sub"]) == 127
    assert_refused(broker, too_long, "claim_invalid")


def test_who_acts_is_told_apart_in_members_of_their_own(broker: RunningBroker) -> None:
    colliding = [
        {
            "repository": "octo-org/octo-repo",
            "environment": "a:ref:b",
            "sub": "repo:octo-org/octo-repo:x",
        },
        {
            "repository": "octo-org/octo-repo",
            "environment": "a",
            "sub": "repo:octo-org/octo-repo:x",
        },
    ]

    first, second = (
        verified(broker, publish(broker, "repo-ci", **claims), audience=ARTIFACTS)
        for claims in colliding
    )

    assert first["act"] == second["act"]
    assert first["workload"]["environment"] != second["workload"]["environment"]


def test_the_same_number_of_two_platforms_is_one_subject_and_lint_says_so(
    broker: RunningBroker,
) -> None:
    """What the form of `sub` cannot tell apart, no policy set may do unnoticed."""
    subs = {
        verified(
            broker,
            broker.exchange(token, audience="artifacts", client_id="project-ci"),
            audience=ARTIFACTS,
        )["sub"]
        for token in (
            broker.gitlab_token(namespace_id="72"),
            broker.gitlab_corp.token(gitlab_claims(namespace_id="72"), audience=AUDIENCE),
        )
    }
    done = CliRunner().invoke(app, ["policies", "check", "--json", str(broker.folder / "policies")])

    found = [each for each in json.loads(done.stdout)["findings"] if "issuers" in each["code"]]
    assert subs == {"project-ci:project_id:20"}
    assert [each["code"] for each in found] == ["ids-of-several-issuers"]
    assert "project-ci:project_id:VALUE" in found[0]["message"]
