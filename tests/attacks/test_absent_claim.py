"""Row 54: a claim that is not there must not satisfy a condition about what it is not."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.hand_made_tokens import with_raw_claim, without_claim
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

ARTIFACTS = "https://artifacts.example.com"
POLICIES = """\
service_accounts:
  publisher: {grants: {artifacts: [artifacts:write]}}
policies:
  not-dev:
    service_account: publisher
    issuer: github
    match: {repository_id: 456789, environment: {not: dev}}
  hosted-runners-only:
    effect: deny
    issuer: github
    match: {runner_environment: {not: github-hosted}}
    services: [deploy-api]
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


def publish(broker: RunningBroker, token: str) -> Any:
    return broker.exchange(token, audience="artifacts", client_id="publisher")


@pytest.mark.parametrize("environment", [None, "", [], {}, 1.5], ids=repr)
def test_not_does_not_hold_for_what_is_absent(broker: RunningBroker, environment: Any) -> None:
    answer = publish(broker, with_raw_claim(broker, "environment", environment))

    assert_refused(broker, answer, "no_policy_matched")


def test_not_does_not_hold_for_a_claim_that_is_missing(broker: RunningBroker) -> None:
    answer = publish(broker, broker.github_token())

    assert_refused(broker, answer, "no_policy_matched")


@pytest.mark.parametrize("environment", ["dev", "DEV", ["dev"], ["prod", "dev"]], ids=repr)
def test_not_does_not_hold_for_what_it_names(broker: RunningBroker, environment: Any) -> None:
    answer = publish(broker, with_raw_claim(broker, "environment", environment))

    assert_refused(broker, answer, "no_policy_matched")


@pytest.mark.parametrize("environment", ["prod", "develop", ["prod", "stage"]], ids=repr)
def test_not_holds_for_anything_else(broker: RunningBroker, environment: Any) -> None:
    answer = publish(broker, with_raw_claim(broker, "environment", environment))

    verified(broker, answer, audience=ARTIFACTS)


@pytest.mark.parametrize("runner", [None, "", "self-hosted"], ids=repr)
def test_in_a_deny_policy_not_holds_for_what_is_absent(broker: RunningBroker, runner: Any) -> None:
    answer = broker.exchange(with_raw_claim(broker, "runner_environment", runner))

    event = assert_refused(broker, answer, "denied_by_policy")
    assert event["policies"] == ["hosted-runners-only"]


def test_and_for_a_claim_that_is_missing(broker: RunningBroker) -> None:
    answer = broker.exchange(without_claim(broker, "runner_environment"))

    assert_refused(broker, answer, "denied_by_policy")


def test_a_deny_policy_leaves_alone_what_it_does_not_name(broker: RunningBroker) -> None:
    verified(broker, broker.exchange(broker.github_token()))
