"""The report says which secrets could go, and why."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.conditions import Effect
from broker.core.policy import Issuer, Mode, Policy
from broker.core.registry.report import (
    AccountSecrets,
    TokensIssued,
    federated_policies,
    secrets_report,
)
from tests.core.registry.world import DAY, NOW, POLICIES, World

POLICY = Policy("nightly-main", "github", (), service_account="nightly")
WITH_POLICY = replace(
    POLICIES,
    issuers={
        "github": Issuer("github", "https://a.example", frozenset({"b"})),
        "off": Issuer("off", "https://c.example", frozenset({"b"}), enabled=False),
    },
    policies={"nightly-main": POLICY},
)


def reported(*, age: float = 0, used: bool = True, federated: int = 0) -> Any:
    world = World(policy_set=WITH_POLICY)
    world.create({"client_id": "nightly", "name": "x"})
    rows = world.rows("nightly")
    uses = {"s-1": NOW} if used else {}
    account = AccountSecrets(world.account("nightly"), rows.secrets, uses)
    tokens = TokensIssued(4, federated, {"nightly": federated})
    return secrets_report([account], tokens, WITH_POLICY, NOW + age)


def test_a_secret_in_use_is_not_mentioned() -> None:
    assert reported()["items"] == []


@pytest.mark.parametrize(
    ("facts", "findings"),
    [
        ({"used": False}, ["never_used"]),
        ({"age": 60 * DAY}, ["old"]),
        ({"age": 90 * DAY}, ["overdue"]),
        ({"federated": 1}, ["replaceable"]),
        (
            {"used": False, "age": 90 * DAY, "federated": 1},
            ["never_used", "overdue", "replaceable"],
        ),
    ],
)
def test_what_speaks_against_a_secret_is_said(facts: Any, findings: list[str]) -> None:
    [item] = reported(**facts)["items"]

    assert item["findings"] == findings
    assert (item["client_id"], item["secret_id"]) == ("nightly", "s-1")
    assert item["federated_policies"] == ["nightly-main"]


def test_the_share_of_tokens_without_a_stored_secret_is_told() -> None:
    assert reported(federated=1)["tokens"] == {
        "total": 4, "without_stored_secret": 1, "share": 0.25
    }  # fmt: skip
    assert secrets_report([], TokensIssued(), POLICIES, NOW)["tokens"]["share"] is None


@pytest.mark.parametrize(
    ("changes", "works"),
    [
        ({}, True),
        ({"service_account": "other"}, False),
        ({"effect": Effect.DENY}, False),
        ({"mode": Mode.OBSERVE}, False),
        ({"expires_at": NOW + 1}, True),
        ({"expires_at": NOW}, False),
        ({"issuer": "off"}, False),
    ],
)
def test_a_policy_works_while_it_is_in_force(changes: dict[str, Any], works: bool) -> None:
    policy = replace(POLICY, **changes)
    policy_set = replace(WITH_POLICY, policies={policy.name: policy})

    assert federated_policies("nightly", policy_set, NOW) == ((policy.name,) if works else ())
