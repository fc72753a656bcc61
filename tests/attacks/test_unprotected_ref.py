"""Rows 92, 104: a branch or an environment that anybody with push rights may use.

The policies are those that the project ships as templates, on a real broker.
"""

from collections.abc import Iterator
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

TEMPLATES = Path(__file__).parents[2] / "policies"
SHOP = {
    "project_path": "acme/shop",
    "project_id": "4711",
    "namespace_id": "42",
    "environment": "production",
    "environment_protected": "true",
}
WEB = {
    "repository": "acme/web",
    "repository_owner": "acme",
    "repository_owner_id": "1234567",
    "environment": "production",
}
RELEASE = {
    "repository": "acme/web",
    "repository_owner": "acme",
    "repository_owner_id": "1234567",
    "ref": "refs/tags/v1.4.0",
    "job_workflow_ref": "acme/workflows/.github/workflows/release.yml@refs/heads/main",
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    folder = tmp_path_factory.mktemp("broker")
    (folder / "policies").mkdir()
    for template in TEMPLATES.glob("*.yaml"):
        # The issuers are those of the tests' broker, by the same names.
        if template.name != "issuers.yaml":
            copy(template, folder / "policies")
    organizations = "organizations: {acme: {description: The company}}\n"
    with special_broker(folder, organizations) as broker:
        yield broker


def deploy_shop(broker: RunningBroker, **claims: Any) -> Any:
    return broker.exchange(broker.gitlab_token(**{**SHOP, **claims}), audience="shop-deploy")


def deploy_web(broker: RunningBroker, **claims: Any) -> Any:
    return broker.exchange(broker.github_token(**{**WEB, **claims}), audience="production-deploy")


def release(broker: RunningBroker, **claims: Any) -> Any:
    return broker.exchange(broker.github_token(**{**RELEASE, **claims}), audience="releases")


def test_what_the_templates_mean_is_served(broker: RunningBroker) -> None:
    for answer, audience in (
        (deploy_shop(broker), "https://shop.acme.example"),
        (deploy_web(broker), "https://deploy.acme.example"),
        (release(broker), "https://releases.acme.example"),
    ):
        verified(broker, answer, audience=audience)


@pytest.mark.parametrize(
    "claims",
    [
        {"ref_protected": "false"},
        {"ref_protected": None},
        {"ref_protected": ""},
        {"ref_protected": "TRUE"},
        {"environment_protected": "false"},
        {"environment_protected": None},
        {"environment": None, "environment_protected": None},
        {"environment": "Production"},
        {"environment": "production/eu"},
        {"ref": "main", "ref_type": "tag", "ref_protected": "true"},
        {"ref": "main2", "ref_protected": "true"},
        {"ref": "feature", "ref_protected": "true"},
        {"project_id": "4712"},
        {"namespace_id": "43"},
        {"project_path": "acme/shop2"},
    ],
    ids=repr,
)
def test_a_gitlab_job_without_protection_deploys_nothing(
    broker: RunningBroker, claims: dict[str, Any]
) -> None:
    assert_refused(broker, deploy_shop(broker, **claims), "no_policy_matched")


@pytest.mark.parametrize("source", ["merge_request_event", "external_pull_request_event"])
def test_nor_does_a_merge_request(broker: RunningBroker, source: str) -> None:
    answer = deploy_shop(broker, pipeline_source=source, ref="main", ref_protected="true")

    assert_refused(broker, answer, "no_policy_matched")


@pytest.mark.parametrize(
    "claims",
    [
        {"ref": "refs/heads/feature"},
        {"ref": "refs/heads/main2"},
        {"ref": "refs/heads/release/1/x"},
        {"ref": "refs/tags/main"},
        {"ref": "refs/pull/42/merge"},
        {"environment": None},
        {"environment": "staging"},
        {"repository_id": "456788"},
        {"repository_owner_id": "1234568"},
        {"event_name": "pull_request"},
        {"event_name": "pull_request_target"},
        {"event_name": "workflow_run"},
    ],
    ids=repr,
)
def test_a_github_job_that_only_names_the_environment_deploys_nothing(
    broker: RunningBroker, claims: dict[str, Any]
) -> None:
    assert_refused(broker, deploy_web(broker, **claims), "no_policy_matched")


@pytest.mark.parametrize(
    "claims",
    [
        {"repository_owner_id": "6", "repository": "stranger/web"},
        {"job_workflow_ref": "acme/workflows/.github/workflows/release.yml@refs/heads/test"},
        {"job_workflow_ref": "acme/web/.github/workflows/release.yml@refs/heads/main"},
        {"ref": "refs/heads/v1.4.0"},
        {"ref": "refs/tags/x/v1"},
        {"event_name": "pull_request_target"},
    ],
    ids=repr,
)
def test_nor_does_one_that_only_names_the_workflow_release(
    broker: RunningBroker, claims: dict[str, Any]
) -> None:
    assert_refused(broker, release(broker, **claims), "no_policy_matched")


PLAN = {
    "repository": "acme/infrastructure",
    "repository_id": "456790",
    "repository_owner_id": "1234567",
}


def test_a_pull_request_may_look_and_not_touch(broker: RunningBroker) -> None:
    asked = [{"scope": "state:write"}, {"client_id": "infrastructure-apply"}]
    reasons = ["scope_not_allowed", "no_policy_matched"]

    for request, reason in zip(asked, reasons, strict=True):
        token = broker.github_token(event_name="pull_request", **PLAN)
        assert_refused(broker, broker.exchange(token, audience="infrastructure", **request), reason)
    token = broker.github_token(event_name="pull_request", **PLAN)
    claims = verified(
        broker,
        broker.exchange(token, audience="infrastructure"),
        audience="https://infrastructure.acme.example",
    )
    assert claims["scope"] == "state:read"


@pytest.mark.parametrize("event", ["pull_request_target", "pull_request_review", "issue_comment"])
def test_and_events_like_it_may_not_even_look(broker: RunningBroker, event: str) -> None:
    token = broker.github_token(event_name=event, **PLAN)

    answer = broker.exchange(token, audience="infrastructure")

    assert_refused(broker, answer, "no_policy_matched")
