"""Row 116: a target that the policies do not grant, or several at once."""

from typing import Any

import pytest

from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import DEPLOY_API, verified

ARTIFACTS = "https://artifacts.example.com"


@pytest.mark.parametrize(
    "targets",
    [
        {"audience": "billing"},
        {"audience": "https://billing.example.com"},
        {"audience": "prod-db"},
        {"audience": "broker"},
        {"audience": "Deploy-API"},
        {"audience": " deploy-api"},
        {"audience": "deploy-api deploy-api"},
        {"audience": "deploy-api,billing"},
        {"audience": "*"},
        {"audience": "deploy-web"},
        {"audience": "https://deploy.example.com/"},
        {"audience": "https://DEPLOY.example.com"},
        {"audience": "d\u0435ploy-api"},
        {"audience": ["deploy-api", "billing"]},
        {"audience": ["deploy-api", "artifacts"]},
        {"audience": ["deploy-api", "prod-db"]},
        {"audience": "deploy-api", "resource": ARTIFACTS},
        {"audience": None, "resource": [DEPLOY_API, ARTIFACTS]},
        {"audience": None, "resource": "https://evil.example"},
        {"audience": None, "resource": "deploy-api"},
        {"audience": None, "resource": "/deploy"},
        {"audience": None, "resource": "//deploy.example.com"},
        {"audience": None, "resource": f"{DEPLOY_API}#"},
        {"audience": None, "resource": f"{DEPLOY_API}#x"},
        {"audience": "deploy-api", "resource": f"{DEPLOY_API}#x"},
    ],
    ids=repr,
)
def test_a_target_that_is_not_the_one_granted_is_refused(
    live_broker: RunningBroker, targets: dict[str, Any]
) -> None:
    token = live_broker.github_token()

    assert_refused(live_broker, live_broker.exchange(token, **targets), "target_unknown")

    verified(live_broker, live_broker.exchange(token))


@pytest.mark.parametrize("parameters", [{"audience": None}, {"audience": ""}], ids=repr)
def test_no_target_is_a_question_where_several_are_possible(
    live_broker: RunningBroker, parameters: dict[str, Any]
) -> None:
    answer = live_broker.exchange(live_broker.github_token(), **parameters)

    assert_refused(live_broker, answer, "target_required")


@pytest.mark.parametrize(
    "targets",
    [
        {"audience": DEPLOY_API},
        {"audience": ["deploy-api", "deploy-api"]},
        {"audience": ["deploy-api", DEPLOY_API]},
        {"audience": "deploy-api", "resource": DEPLOY_API},
        {"audience": None, "resource": DEPLOY_API},
        {"audience": None, "resource": [DEPLOY_API, DEPLOY_API]},
    ],
    ids=repr,
)
def test_several_spellings_of_one_service_are_one_audience(
    live_broker: RunningBroker, targets: dict[str, Any]
) -> None:
    answer = live_broker.exchange(live_broker.github_token(), **targets)

    assert verified(live_broker, answer)["aud"] == DEPLOY_API
