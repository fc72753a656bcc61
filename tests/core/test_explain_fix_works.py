"""Whoever writes the line that a fix proposes is permitted the next time."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.condition_text import yaml
from broker.core.policy import PolicySet
from tests.core.builders import github_claims, gitlab_claims
from tests.core.explain_cases import IMMUTABLE_SUB, explained, fix
from tests.policy_files.loading import load_beside_base

WEB = {"repository_id": 456789}
GITLAB_WEB = {"project_id": 4242}


def loaded(match: dict[str, str], issuer: str) -> PolicySet:
    """Load a policy from the text of its conditions."""
    lines = "".join(f"      {yaml(claim)}: {text}\n" for claim, text in match.items())
    policy = (
        f"policies:\n  web:\n    service_account: deploy-web\n    issuer: {issuer}\n    match:\n"
    )
    return load_beside_base(policy + lines).policy_set


def with_lines_of(told: str, match: dict[str, str]) -> dict[str, str]:
    """Write the proposed lines into a policy, some instead of those that were there."""
    lines = dict(line.split(": ", 1) for line in re.findall("`([^` ]+: [^`]+)`", told))
    gone = {"sub", "ref", "job_workflow_ref"} if told.endswith(" instead") else set()
    return {claim: text for claim, text in match.items() if claim not in gone} | lines


def decided_after_the_fix(match: dict[str, Any], claims: dict[str, Any], issuer: str) -> str:
    written = {claim: yaml(value) for claim, value in match.items()}
    told = fix(loaded(written, issuer), claims, issuer=issuer)
    mended = loaded(with_lines_of(told, written), issuer)
    return explained(mended, claims, issuer=issuer).decision


@pytest.mark.parametrize(
    ("match", "changes"),
    [
        (WEB | {"ref": "refs/tags/v1"}, {}),
        (WEB | {"ref": ["refs/tags/v1", {"glob": "x*"}]}, {}),
        (WEB | {"ref": {"regex": "refs/tags/.*"}}, {"ref": "refs/heads/$(id);'\"\\"}),
        (WEB | {"ref": "main"}, {}),
        (WEB | {"ref": [{"glob": "m*"}, "x"]}, {}),
        (WEB | {"ref": {"glob": "refs/*"}}, {}),
        (WEB | {"ref": ["x", "refs/heads/*"]}, {}),
        (WEB | {"workflow": "Deploy"}, {}),
        (WEB | {"workflow": "deploy"}, {"workflow": "yes"}),
        (WEB | {"workflow": "deploy"}, {"workflow": "Zürich 🚀"}),
        (WEB | {"run_attempt": 1}, {"run_attempt": "007"}),
        (WEB | {"event_name": "push"}, {"event_name": "schedule"}),
        (WEB | {"event_name": {"glob": "pull*"}}, {"event_name": "pull_request"}),
        (WEB, {"event_name": "workflow_run"}),
        (WEB | {"job_workflow_ref": "acme/x@v1"}, {"workflow_ref": "acme/x@v1"}),
        (WEB | {"repository": "acme/old"}, {}),
        (WEB | {"repository": ["acme/old", {"glob": "acme/older*"}]}, {}),
        ({"sub": "repo:acme/web:ref:refs/heads/main"}, {"sub": IMMUTABLE_SUB}),
        (
            {"repository_owner_id": 123456, "sub": {"glob": "repo:acme/web:ref:refs/heads/*"}},
            {"sub": IMMUTABLE_SUB},
        ),
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
    assert decided_after_the_fix(match, github_claims(**changes), "github") == "permit"


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
    assert decided_after_the_fix(match, gitlab_claims(**changes), "gitlab") == "permit"


def test_a_policy_that_begins_as_proposed_permits() -> None:
    elsewhere = loaded({"repository": "acme/site"}, "github")

    told = fix(elsewhere)

    mended = loaded(with_lines_of(told, {}), "github")
    assert explained(mended).decision == "permit"


printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=60)


@given(printable.filter(lambda name: name == name.strip()))
def test_whatever_a_job_calls_itself_can_be_written_as_proposed(name: str) -> None:
    claims = github_claims(workflow=name)

    told = fix(
        loaded({"repository_id": "456789", "workflow": "what nobody calls a job"}, "github"), claims
    )
    start = told.index("`workflow: ") + len("`workflow: ")

    mended = loaded({"repository_id": "456789", "workflow": told[start:-1]}, "github")
    assert explained(mended, claims).decision == "permit"
