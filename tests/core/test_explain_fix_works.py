"""Whoever writes the line that a fix proposes is permitted the next time."""

import re
from typing import Any

import pytest
import yaml

from tests.core.builders import a_policy, a_policy_set, github_claims, gitlab_claims
from tests.core.explain_cases import IMMUTABLE_SUB, explained, fix, glob, regex

WEB = {"repository_id": "456789"}
GITLAB_WEB = {"project_id": "4242"}


def read_back(value: Any) -> Any:
    """Read a value of YAML as the policy files would."""
    if isinstance(value, list):
        return [read_back(item) for item in value]
    if isinstance(value, dict):
        ((operator, pattern),) = value.items()
        return {"glob": glob, "regex": regex}[operator](pattern)
    return value


def with_lines_of(told: str, match: dict[str, Any]) -> dict[str, Any]:
    """Write the proposed lines into a policy, some instead of those that were there."""
    lines: dict[str, Any] = {}
    for line in re.findall("`([^` ]+: [^`]+)`", told):
        lines |= {claim: read_back(value) for claim, value in yaml.safe_load(line).items()}
    gone = {"sub", "ref", "job_workflow_ref"} if told.endswith(" instead") else set()
    return {claim: value for claim, value in match.items() if claim not in gone} | lines


@pytest.mark.parametrize(
    ("match", "changes"),
    [
        (WEB | {"ref": "refs/tags/v1"}, {}),
        (WEB | {"ref": ["refs/tags/v1", glob("x*")]}, {}),
        (WEB | {"ref": regex("refs/tags/.*")}, {"ref": "refs/heads/$(id);\u202e\n'\""}),
        (WEB | {"ref": "main"}, {}),
        (WEB | {"ref": [glob("m*"), "x"]}, {}),
        (WEB | {"ref": glob("refs/*")}, {}),
        (WEB | {"workflow": "Deploy"}, {}),
        (WEB | {"workflow": "deploy"}, {"workflow": "yes"}),
        (WEB | {"run_attempt": 1}, {"run_attempt": "007"}),
        (WEB | {"event_name": "push"}, {"event_name": "schedule"}),
        (WEB | {"event_name": glob("pull*")}, {"event_name": "pull_request"}),
        (WEB, {"event_name": "workflow_run"}),
        (WEB | {"job_workflow_ref": "acme/x@v1"}, {"workflow_ref": "acme/x@v1"}),
        (WEB | {"repository": "acme/old"}, {}),
        (WEB | {"repository": ["acme/old", glob("acme/older*")]}, {}),
        ({"sub": "repo:acme/web:ref:refs/heads/main"}, {"sub": IMMUTABLE_SUB}),
        ({"sub": glob("repo:acme/web:ref:refs/heads/*")}, {"sub": IMMUTABLE_SUB}),
        ({"sub": IMMUTABLE_SUB}, {}),
        ({"sub": "repo:acme/web:x:y"}, {"sub": "repo:acme@123456/web@456789:x:y"}),
        (
            {"sub": "repo:acme/web:ref:refs/heads/main"},
            {"sub": "repo:acme/web:environment:production", "environment": "production"},
        ),
        (
            {"sub": "repo:acme/web:environment:a:b"},
            {"sub": "repo:acme/web:environment:a%3Ab", "environment": "a:b"},
        ),
        (
            {"sub": "repo:acme/web:ref:refs/heads/main"},
            {"sub": "repo:acme/web:ref:refs/heads/dev", "ref": "refs/heads/dev"},
        ),
        ({"sub": "repo:acme/web:ref:refs/heads/main"}, {"sub": "visibility:private"}),
    ],
)
def test_the_lines_proposed_for_a_github_policy_permit(
    match: dict[str, Any], changes: dict[str, Any]
) -> None:
    claims = github_claims(**changes)

    told = fix(a_policy("web", match), claims)

    mended = a_policy("web", with_lines_of(told, match))
    assert explained(mended, claims).decision == "permit", told


@pytest.mark.parametrize(
    ("match", "changes"),
    [
        (GITLAB_WEB | {"ref": "refs/heads/main"}, {"ref_path": "refs/heads/main"}),
        (GITLAB_WEB | {"pipeline_source": "push"}, {"pipeline_source": "pipeline"}),
        (
            {"sub": "project_path:acme/platform/web:ref_type:branch:ref:main"},
            {
                "sub": "project_path:acme/platform/web:ref_type:tag:ref:v1",
                "ref": "v1",
                "ref_type": "tag",
            },
        ),
    ],
)
def test_the_lines_proposed_for_a_gitlab_policy_permit(
    match: dict[str, Any], changes: dict[str, Any]
) -> None:
    claims = gitlab_claims(**changes)

    told = fix(a_policy("web", match, issuer="gitlab"), claims, issuer="gitlab")

    mended = a_policy("web", with_lines_of(told, match), issuer="gitlab")
    assert explained(mended, claims, issuer="gitlab").decision == "permit", told


def test_a_policy_that_begins_as_proposed_permits() -> None:
    told = fix(a_policy_set(a_policy("site", {"repository": "acme/site"})))

    assert explained(a_policy("web", with_lines_of(told, {}))).decision == "permit"
