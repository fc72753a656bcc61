"""Row 74: a loose alternative beside a tight one; whoever reads the list must see that it holds."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.own_tenants import (
    assert_no_policy,
    assert_permitted_by,
    from_github,
    policies_of_own_tenants,
)
from tests.http.test_explain import explain
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

CONDITIONS = {
    "loose-ref": 'ref: [refs/heads/main, {glob: "refs/heads/release-*"}]',
    "loose-workflow": 'workflow: [Deploy, {regex: "Deploy .*"}], ref: refs/heads/main',
    "loose-not": "environment: {not: [dev, test]}",
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    policies = "policies:\n" + policies_of_own_tenants(CONDITIONS)
    with special_broker(tmp_path_factory.mktemp("broker"), policies) as broker:
        yield broker


@pytest.mark.parametrize(
    ("policy", "claims"),
    [
        ("loose-ref", {"ref": "refs/heads/main"}),
        ("loose-ref", {"ref": "refs/heads/release-of-mallory"}),
        ("loose-workflow", {"workflow": "Deploy of mallory"}),
        ("loose-not", {"environment": "mallory"}),
    ],
)
def test_one_alternative_is_enough(
    broker: RunningBroker, policy: str, claims: dict[str, str]
) -> None:
    assert_permitted_by(broker, from_github(broker, policy, **claims), policy)


@pytest.mark.parametrize(
    ("policy", "claims"),
    [
        ("loose-ref", {"ref": "refs/heads/x"}),
        ("loose-workflow", {"workflow": "x"}),
        ("loose-workflow", {"workflow": "Deploy", "ref": "refs/heads/x"}),
        ("loose-not", {"environment": "dev"}),
        ("loose-not", {"environment": "TEST"}),
    ],
)
def test_but_no_condition_stands_in_for_another(
    broker: RunningBroker, policy: str, claims: dict[str, str]
) -> None:
    assert_no_policy(broker, from_github(broker, policy, **claims))


@pytest.mark.parametrize(
    ("policy", "claims", "condition"),
    [
        (
            "loose-ref",
            {"ref": "refs/heads/x"},
            ("ref", "any_of", ["refs/heads/main", {"glob": "refs/heads/release-*"}]),
        ),
        (
            "loose-workflow",
            {"workflow": "x"},
            ("workflow", "any_of", ["Deploy", {"regex": "Deploy .*"}]),
        ),
        ("loose-not", {"environment": "dev"}, ("environment", "not", ["dev", "test"])),
    ],
)
def test_an_explanation_shows_every_alternative(
    broker: RunningBroker, policy: str, claims: dict[str, str], condition: tuple[Any, ...]
) -> None:
    token = broker.github_token(repository_id=policy, **claims)

    (candidate,) = explain(broker, token).json()["candidates"]

    (shown,) = candidate["conditions"]
    assert (shown["claim"], shown["operator"], shown["expected"]) == condition
