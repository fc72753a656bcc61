"""Rows 78, 169: a claim that is put into a policy, a scope or an identity, where it means more."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.configuration import problem_of
from tests.attacks.hand_made_tokens import payload_of
from tests.attacks.own_tenants import assert_no_policy, assert_permitted_by
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

ROLLOUT = "https://rollout.example.com"
POLICIES = """\
services:
  rollout:
    audience: https://rollout.example.com
    scopes: {"deploy:{repository}": A scope with braces in its name}
service_accounts:
  templates:
    grants: {rollout: ["deploy:{repository}"]}
    metadata: {target: "{{repository}}", branch: "${{ github.ref }}"}
  per-environment:
    grants: {rollout: ["deploy:{repository}"]}
    instances: [repository_owner_id, environment_node_id]
policies:
  braces:
    service_account: templates
    issuer: github
    match: {repository_id: "{{repository_id}}", ref: "${{ github.ref }}"}
  own:
    service_account: templates
    issuer: github
    match: {repository_id: 7}
  by-node:
    service_account: per-environment
    issuer: github
    match: {repository_id: 8}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


def test_braces_in_a_policy_are_braces(broker: RunningBroker) -> None:
    for id_ in ("9", "repository_id", "{{repository_id}}"):
        assert_no_policy(broker, broker.exchange(broker.github_token(repository_id=id_)))

    token = broker.github_token(repository_id="{{repository_id}}", ref="${{ github.ref }}")
    claims = verified(broker, broker.exchange(token, audience="rollout"), audience=ROLLOUT)
    assert claims["policy"] == "braces"


def test_no_claim_is_put_into_scopes_or_metadata(broker: RunningBroker) -> None:
    token = broker.github_token(repository_id="7")

    claims = verified(broker, broker.exchange(token, audience="rollout"), audience=ROLLOUT)

    assert claims["scope"] == "deploy:{repository}"
    assert claims["metadata"] == {"target": "{{repository}}", "branch": "${{ github.ref }}"}


@pytest.mark.parametrize(
    "scope",
    ["deploy:octo-org/octo-repo", "deploy:*", "deploy:{repository_id}", "deploy:", "deploy:7"],
)
def test_no_scope_fits_the_name_of_another(broker: RunningBroker, scope: str) -> None:
    token = broker.github_token(repository_id="7")

    answer = broker.exchange(token, audience="rollout", scope=scope)

    assert_refused(broker, answer, "scope_not_allowed")


def by_node(broker: RunningBroker, **claims: Any) -> Any:
    token = broker.github_token(repository_id="8", environment="prod", **claims)
    return broker.exchange(token, audience="rollout")


def test_what_enters_an_identity_is_short_and_plain(broker: RunningBroker) -> None:
    answer = by_node(broker, environment_node_id="EN_kwDOVBcNc88AAAAFiytEwA")

    assert verified(broker, answer, audience=ROLLOUT)["sub"] == (
        "per-environment:repository_owner_id:123456:environment_node_id:EN_kwDOVBcNc88AAAAFiytEwA"
    )


@pytest.mark.parametrize(
    "value",
    [
        "x:repository_owner_id:1",
        "x:environment_node_id:y",
        "../x",
        "x/y",
        "*",
        "a,b",
        "a b",
        "a\n",
        "\u00fcber",
        "\u212a",
        "x" * 101,
        "x" * 5000,
        ["EN_x"],
        {"x": "EN_x"},
        1.5,
        None,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_anything_else_names_nobody(broker: RunningBroker, value: Any) -> None:
    payload = payload_of(broker, repository_id="8", environment="prod")
    payload["environment_node_id"] = value
    token = broker.github.token(payload, audience=AUDIENCE)

    answer = broker.exchange(token, audience="rollout")

    event = assert_refused(broker, answer, "claim_invalid")
    assert event["policies"] == ["by-node"]
    assert event["sub"] is None


def test_an_empty_or_missing_value_names_nobody_either(broker: RunningBroker) -> None:
    for answer in (
        by_node(broker, environment_node_id=""),
        by_node(broker, environment_node_id=None),
    ):
        assert_refused(broker, answer, "claim_invalid")


FILE = """\
issuers:
  github: {{preset: github}}
services:
  deploy-api: {{audience: https://deploy.example.com, scopes: {{deploy:read: See}}}}
service_accounts:
  deploy-web: {{grants: {{deploy-api: ["deploy:read"]}}, instances: [{instances}]}}
policies:
  main:
    service_account: deploy-web
    issuer: github
    match: {{repository_owner_id: 123456{match}}}
    grants: {{deploy-api: ["{scope}"]}}
"""


@pytest.mark.parametrize(
    "scope", ["deploy:{repository}", "deploy:{{ref}}", "deploy:${ref}", "deploy:%(ref)s"]
)
def test_a_scope_outside_the_catalogue_is_no_template(scope: str) -> None:
    problem = problem_of(FILE.format(instances="repository_id", match="", scope=scope))

    assert problem.startswith("policies.yaml:12:27: ")
    assert "has no scope" in problem


@pytest.mark.parametrize(
    ("instances", "match"),
    [
        ("ref", ""),
        ("environment", ""),
        ("actor", ", actor_id: 1"),
        ("repository", ""),
        ("head_ref", ', head_ref: {glob: "x*"}'),
        ("environment", ', environment: {regex: "prod|test"}'),
        ("environment", ", environment: {not: dev}"),
        ("environment", ", environment: {present: true}"),
        ("environment", ', environment: [prod, {glob: "test*"}]'),
    ],
)
def test_nobody_chooses_the_name_of_an_instance(instances: str, match: str) -> None:
    problem = problem_of(FILE.format(instances=instances, match=match, scope="deploy:read"))

    assert problem.startswith("policies.yaml:9:22: ")
    assert "pin it in `match`" in problem


def test_unlike_the_ids_that_the_platform_gives(broker: RunningBroker) -> None:
    """The other repositories of the broker are not touched by any of this."""
    assert_permitted_by(broker, broker.exchange(broker.github_token()), "octo-main")
