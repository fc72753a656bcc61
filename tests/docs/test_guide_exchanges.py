"""The policies of the guides, asked over HTTP with the tokens that the guides tell of."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from broker.policy_files.check import check
from broker.testing import github_claims, gitlab_claims
from tests.docs.brokers_of_pages import GuideBrokers, guide, policies_of
from tests.docs.policies_in_pages import load_text
from tests.running_broker import RunningBroker
from tests.service_tokens import verified_token

WORKFLOW = "acme/workflows/.github/workflows/deploy.yml"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
INFRASTRUCTURE = {"repository": "acme/infrastructure", "repository_id": "456790"}
INFRASTRUCTURE_GITLAB = {"project_path": "acme/infrastructure", "project_id": "30"}
MONO = {"repository": "acme/mono", "repository_id": "456791"}
MONO_GITLAB = {"project_path": "acme/mono", "project_id": "31"}


@dataclass(frozen=True)
class Asked:
    """A request that a guide tells of: the job's claims, for which service, and the answer."""

    guide: str
    claims: dict[str, Any]
    service: str
    answer: str
    scope: str | None = None
    sub: str = ""
    conditions: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        facts = " ".join(f"{value}" for value in self.claims.values())
        return f"{self.guide}-{facts}-{self.service}-{self.answer}".replace("/", "_")[:120]


def plan(claims: dict[str, Any], answer: str, scope: str | None = None, **more: Any) -> Asked:
    return Asked("plan-and-apply", claims, "infrastructure", answer, scope, **more)


def reused(claims: dict[str, Any], answer: str, **more: Any) -> Asked:
    return Asked("reusable-workflows", claims, "deploy-api", answer, **more)


def mono(claims: dict[str, Any], service: str, answer: str, **more: Any) -> Asked:
    return Asked("monorepo", claims, service, answer, **more)


def whole(claims: dict[str, Any], answer: str, **more: Any) -> Asked:
    return Asked("whole-organization", claims, "artifacts", answer, **more)


def gitlab(claims: dict[str, Any], answer: str, **more: Any) -> Asked:
    return Asked("gitlab-ci", claims, "deploy-api", answer, **more)


PULL_REQUEST = INFRASTRUCTURE | {"event_name": "pull_request", "ref": "refs/pull/7/merge"}
MERGE_REQUEST = INFRASTRUCTURE_GITLAB | {"pipeline_source": "merge_request_event", "ref": "x"}

REQUESTS = [
    plan(PULL_REQUEST, "infrastructure-plan", "state:read"),
    plan(PULL_REQUEST, "scope_not_allowed", "state:write"),
    plan(
        INFRASTRUCTURE | {"event_name": "pull_request_target"},
        "no_policy_matched",
        conditions=["event_name"],
    ),
    plan(
        INFRASTRUCTURE | {"event_name": "workflow_dispatch"},
        "no_policy_matched",
        conditions=["event_name"],
    ),
    plan(INFRASTRUCTURE, "infrastructure-apply", "state:read state:write"),
    plan(INFRASTRUCTURE | {"ref": "refs/heads/x"}, "no_policy_matched", conditions=["ref"]),
    plan(MERGE_REQUEST, "infrastructure-plan", "state:read"),
    plan(MERGE_REQUEST, "scope_not_allowed", "state:write"),
    plan(MERGE_REQUEST | {"job_project_id": "99"}, "no_policy_matched"),
    plan(INFRASTRUCTURE_GITLAB, "infrastructure-apply", "state:write"),
    plan(INFRASTRUCTURE_GITLAB | {"ref_protected": "false"}, "no_policy_matched"),
    reused({"job_workflow_ref": f"{WORKFLOW}@{COMMIT}"}, "deploy-web"),
    reused({}, "no_policy_matched", conditions=["job_workflow_ref"]),
    reused(
        {"job_workflow_ref": f"{WORKFLOW}@refs/heads/main"},
        "no_policy_matched",
        conditions=["job_workflow_ref"],
    ),
    # The caller's own file says what it likes of itself.
    reused({"workflow_ref": f"{WORKFLOW}@{COMMIT}", "job_workflow_ref": "x"}, "no_policy_matched"),
    reused(
        {
            "repository": "stranger/web",
            "repository_id": "5",
            "repository_owner_id": "6",
            "job_workflow_ref": f"{WORKFLOW}@{COMMIT}",
        },
        "no_policy_matched",
    ),
    mono(MONO | {"environment": "shop-production"}, "shop", "deploy-shop"),
    mono(MONO | {"environment": "billing-production"}, "billing", "deploy-billing"),
    mono(MONO | {"environment": "shop-production"}, "billing", "target_unknown"),
    mono(MONO, "shop", "no_policy_matched", conditions=["environment"]),
    mono(
        MONO | {"environment": "shop-production", "ref": "refs/heads/x"},
        "shop",
        "no_policy_matched",
        conditions=["ref"],
    ),
    mono(
        MONO_GITLAB | {"environment": "shop/production", "environment_protected": "true"},
        "shop",
        "deploy-shop",
    ),
    mono(
        MONO_GITLAB | {"environment": "shop/production"},
        "shop",
        "no_policy_matched",
        conditions=["environment_protected"],
    ),
    mono(
        MONO_GITLAB
        | {
            "environment": "shop/production",
            "environment_protected": "true",
            "pipeline_source": "parent_pipeline",
        },
        "shop",
        "no_policy_matched",
        conditions=["pipeline_source"],
    ),
    whole({"repository": "acme/web"}, "repo-ci", sub="repo-ci:repository_id:456789"),
    whole(
        {"repository": "acme/docs", "repository_id": "456792"},
        "repo-ci",
        sub="repo-ci:repository_id:456792",
    ),
    whole({"repository": "acme/lost", "repository_id": "456799"}, "denied_by_policy"),
    whole({"repository_id": "5", "repository_owner_id": "6"}, "no_policy_matched"),
    whole({"repository": "acme/web", "ref": "refs/heads/x"}, "no_policy_matched"),
    whole({"repository_id": "id/of/no/platform"}, "claim_invalid"),
    whole({"project_path": "acme/web"}, "project-ci", sub="project-ci:project_id:20"),
    whole(
        {"project_path": "acme/sub/web", "project_id": "21", "namespace_id": "73"},
        "project-ci",
        sub="project-ci:project_id:21",
    ),
    whole({"project_path": "other/web", "namespace_id": "99"}, "no_policy_matched"),
    gitlab({"project_path": "acme/web"}, "deploy-web"),
    gitlab(
        {"project_path": "acme/web", "ref": "x"},
        "no_policy_matched",
        conditions=["ref_path", "ref_protected"],
    ),
    gitlab(
        {"project_path": "acme/web", "pipeline_source": "merge_request_event"},
        "no_policy_matched",
    ),
    gitlab({"project_path": "acme/web", "project_id": "99"}, "no_policy_matched"),
]
GUIDES = sorted({each.guide for each in REQUESTS})


@pytest.mark.parametrize("name", GUIDES)
def test_the_policies_of_a_guide_have_tests_and_no_finding(name: str) -> None:
    loaded = load_text(policies_of(name))

    assert loaded.tests
    found = check([loaded], now=1_795_300_000.0).findings
    assert [each for each in found if each.file == "page.yaml"] == []


@pytest.mark.parametrize("asked", REQUESTS, ids=str)
def test_the_broker_answers_as_the_guide_says(guide_brokers: GuideBrokers, asked: Asked) -> None:
    broker = guide_brokers.of(asked.guide)

    answer = answered(broker, asked)

    body = answer.json()
    assert body.get("reason", body.get("service_account")) == asked.answer, body
    if answer.status_code == 200:
        audience = f"https://{asked.service.removesuffix('-api')}.example.com"
        claims = verified_token(broker, body["access_token"], audience=audience)
        assert claims["sub"] == (asked.sub or asked.answer)
        assert asked.scope in (None, claims["scope"])
    shown = {each["claim"] for each in body.get("conditions", [])}
    assert set(asked.conditions) <= shown


@pytest.mark.parametrize("name", GUIDES)
def test_the_refusal_that_a_guide_shows_is_one_of_the_brokers(
    guide_brokers: GuideBrokers, name: str
) -> None:
    page = guide(name)
    (shown,) = [
        json.loads(block.text)
        for block in page.blocks("json")
        if block.text in page.section("When it is refused")
    ]
    asked = [each for each in REQUESTS if (each.guide, each.answer) == (name, shown["reason"])]
    answers = [answered(guide_brokers.of(name), each).json() for each in asked]

    left_out = {member: "…" for member, value in shown.items() if value == "…"}
    assert shown in [answer | left_out for answer in answers]


def answered(broker: RunningBroker, asked: Asked) -> httpx.Response:
    """Ask a broker, as the job would."""
    of_gitlab = any(name.startswith(("project_", "pipeline_")) for name in asked.claims)
    token = (
        broker.gitlab.token(gitlab_claims(**asked.claims), audience=broker.url)
        if of_gitlab
        else broker.github.token(github_claims(**asked.claims), audience=broker.url)
    )
    return broker.exchange(token, audience=asked.service, scope=asked.scope)


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_tells_of_every_reason_that_is_tried(name: str) -> None:
    told = guide(name).section("When it is refused")
    reasons = {each.answer for each in REQUESTS if each.guide == name and "_" in each.answer}

    assert {reason for reason in reasons if f"`{reason}`" not in told} == set()
