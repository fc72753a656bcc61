"""Row 55: a claim whose name is almost the one that a policy means."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.hand_made_tokens import payload_of, with_payload
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

ORGANIZATION = "7b9a3c52-0000-4000-8000-000000000002"
POLICIES = f"""\
policies:
  octo-namespace:
    service_account: deploy-web
    issuer: buildkite
    match: {{organization_id: {ORGANIZATION}, /kubernetes.io/namespace: prod}}
    grants: {{deploy-api: [deploy:read]}}
"""


@pytest.mark.parametrize(
    "name",
    [
        "Repository_id",
        "REPOSITORY_ID",
        "repository_id ",
        " repository_id",
        "repository_id\u0000",
        "repository_id\u0000x",
        "repository.id",
        "repository-id",
        "repository_\u0131d",
        "repo\u200bsitory_id",
        "/repository_id",
        "$.repository_id",
    ],
    ids=repr,
)
def test_a_claim_is_found_by_its_exact_name(live_broker: RunningBroker, name: str) -> None:
    payload = payload_of(live_broker)
    payload[name] = payload.pop("repository_id")

    answer = live_broker.exchange(with_payload(live_broker, json.dumps(payload)))

    assert_refused(live_broker, answer, "no_policy_matched")


@pytest.mark.parametrize("name", ["SUB", "Iss", "AUD", "\u017fub", "EXP", "nBf"], ids=repr)
def test_a_registered_claim_has_no_twin_of_another_case(
    live_broker: RunningBroker, name: str
) -> None:
    payload = payload_of(live_broker) | {name: "x"}

    answer = live_broker.exchange(with_payload(live_broker, json.dumps(payload)))

    assert_refused(live_broker, answer, "malformed_token")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


def build(broker: RunningBroker, **claims: Any) -> str:
    build_claims = {"sub": "organization:octo", "organization_id": ORGANIZATION}
    return broker.buildkite.token(build_claims | claims, audience=AUDIENCE)


def test_a_pointer_looks_inside_a_claim(broker: RunningBroker) -> None:
    token = build(broker, **{"kubernetes.io": {"namespace": "prod"}})

    verified(broker, broker.exchange(token))


@pytest.mark.parametrize(
    "claims",
    [
        {"/kubernetes.io/namespace": "prod"},
        {"kubernetes.io/namespace": "prod"},
        {"kubernetes.io.namespace": "prod"},
        {"kubernetes": {"io": {"namespace": "prod"}}},
        {"kubernetes.io": "prod"},
        {"kubernetes.io": [{"namespace": "prod"}]},
        {"kubernetes.io": {"namespace": {"": "prod"}}},
        {"kubernetes.io": {"/namespace": "prod"}},
        {"kubernetes.io": {"Namespace": "prod"}},
        {"Kubernetes.io": {"namespace": "prod"}},
    ],
    ids=repr,
)
def test_and_nowhere_else(broker: RunningBroker, claims: dict[str, Any]) -> None:
    assert_refused(broker, broker.exchange(build(broker, **claims)), "no_policy_matched")
