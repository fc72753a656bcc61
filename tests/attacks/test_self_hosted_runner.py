"""Rows 102, 103: a job on a machine that others share, or with a step that others wrote.

A service may require more of every token; a job without its environment gets the least.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.hand_made_tokens import payload_of, with_payload
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

VAULT = "https://vault.example.com"
POLICIES = """\
services:
  vault:
    audience: https://vault.example.com
    scopes: {secrets:read: Read, secrets:write: Write}
    require: {runner_environment: github-hosted}
    max_ttl: 5m
  artifacts-of-all: {audience: https://all.example.com}
service_accounts:
  keeper: {grants: {vault: ["secrets:*"], artifacts-of-all: []}}
  own-runners: {grants: {artifacts-of-all: []}}
policies:
  tests:
    service_account: keeper
    issuer: github
    match: {repository_id: 50}
    grants: {vault: [secrets:read]}
  production:
    service_account: keeper
    issuer: github
    match: {repository_id: 50, ref: refs/heads/main, environment: production}
    ttl: 2m
  everywhere:
    service_account: own-runners
    issuer: github
    match: {repository_id: 51, runner_environment: github-hosted}
  on-gitlab:
    service_account: keeper
    issuer: gitlab
    match: {project_id: 52}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


RUNNERS: list[Any] = ["self-hosted", "Github-Hosted", "github-hosted ", "gitlab-hosted", "", None,
           ["self-hosted"], [], {}, True]  # fmt: skip


def with_runner(broker: RunningBroker, tenant: str, runner: Any) -> str:
    claims = payload_of(broker, repository_id=tenant) | {"runner_environment": runner}
    return with_payload(broker, json.dumps(claims))


@pytest.mark.parametrize("runner", RUNNERS, ids=repr)
def test_a_service_may_refuse_runners_of_ones_own(broker: RunningBroker, runner: Any) -> None:
    answer = broker.exchange(with_runner(broker, "50", runner), audience="vault")

    assert_refused(broker, answer, "no_policy_matched")


@pytest.mark.parametrize("runner", RUNNERS, ids=repr)
def test_so_may_a_policy(broker: RunningBroker, runner: Any) -> None:
    answer = broker.exchange(with_runner(broker, "51", runner), audience="artifacts-of-all")

    assert_refused(broker, answer, "no_policy_matched")


def test_a_runner_that_says_nothing_is_none_of_the_platforms(broker: RunningBroker) -> None:
    token = broker.github_token(repository_id="50", runner_environment=None)

    assert_refused(broker, broker.exchange(token, audience="vault"), "no_policy_matched")


def test_what_a_service_requires_holds_for_every_platform(broker: RunningBroker) -> None:
    token = broker.gitlab_token(project_id="52")

    assert_refused(broker, broker.exchange(token, audience="vault"), "no_policy_matched")
    answer = broker.exchange(token, audience="artifacts-of-all")
    verified(broker, answer, audience="https://all.example.com")


def test_asking_for_nothing_in_particular_does_not_get_round_it(broker: RunningBroker) -> None:
    """The first policy reaches the vault alone, so that no target need be named."""
    token = broker.github_token(repository_id="50", runner_environment="self-hosted")

    assert_refused(broker, broker.exchange(token, audience=None), "no_policy_matched")


def test_a_step_gets_no_more_than_its_job(broker: RunningBroker) -> None:
    testing, deploying = (
        verified(
            broker,
            broker.exchange(
                broker.github_token(repository_id="50", environment=environment), audience="vault"
            ),
            audience=VAULT,
        )
        for environment in (None, "production")
    )

    assert testing["scope"] == "secrets:read"
    assert testing["exp"] - testing["iat"] == 300
    assert deploying["scope"] == "secrets:read secrets:write"
    assert deploying["exp"] - deploying["iat"] == 120


def test_nor_does_it_by_asking(broker: RunningBroker) -> None:
    token = broker.github_token(repository_id="50")

    answer = broker.exchange(token, audience="vault", scope="secrets:write", expires_in="86400")

    assert_refused(broker, answer, "scope_not_allowed")


def test_a_later_step_cannot_use_the_token_again(broker: RunningBroker) -> None:
    token = broker.github_token(repository_id="50")
    verified(broker, broker.exchange(token, audience="vault"), audience=VAULT)

    assert_refused(broker, broker.exchange(token, audience="vault"), "token_already_used")
