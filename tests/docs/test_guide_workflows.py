"""The GitHub workflows of the guides, run whole against the policies of the same guide."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from broker.testing import github_claims
from tests.docs.brokers_of_pages import GuideBrokers, guide
from tests.docs.workflow_jobs import JobRun, run_job
from tests.github_runner import GithubRunner

BROKER = "https://broker.example.com"
DEPLOYMENTS = "https://deploy.example.com"
INFRASTRUCTURE = {"repository": "acme/infrastructure", "repository_id": "456790"}
MONO = {"repository": "acme/mono", "repository_id": "456791"}
WORKFLOW = "acme/workflows/.github/workflows/deploy.yml@0123456789abcdef0123456789abcdef01234567"

# Guide, job, the claims of its token, and the answer.
JOBS: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "plan-and-apply",
        "plan",
        INFRASTRUCTURE | {"event_name": "pull_request"},
        "infrastructure-plan",
    ),
    ("plan-and-apply", "apply", INFRASTRUCTURE, "infrastructure-apply"),
    (
        "plan-and-apply",
        "apply",
        INFRASTRUCTURE | {"event_name": "pull_request"},
        "scope_not_allowed",
    ),
    ("monorepo", "deploy", MONO | {"environment": "shop-production"}, "deploy-shop"),
    ("monorepo", "deploy", MONO | {"environment": "billing-production"}, "target_unknown"),
    ("reusable-workflows", "deploy", {"job_workflow_ref": WORKFLOW}, "deploy-web"),
    ("reusable-workflows", "deploy", {}, "no_policy_matched"),
    ("whole-organization", "publish", {}, "repo-ci"),
    ("whole-organization", "publish", {"ref": "refs/heads/x"}, "no_policy_matched"),
]

Run = Callable[[str, dict[str, Any], dict[str, Any]], JobRun]


def jobs_of(name: str) -> dict[str, Any]:
    """Give the jobs of all workflows of a guide by their names."""
    found: dict[str, Any] = {}
    for block in guide(name).blocks("yaml"):
        # A list of conditions is no workflow, and GitLab's tags are not for this reader.
        if "\njobs:\n" in block.text:
            found |= yaml.safe_load(block.text)["jobs"]
    return found


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder in which the programs of the guides note the token that they were given."""
    for name in ("plan", "apply", "deploy", "publish"):
        (tmp_path / name).write_text('#!/bin/sh\nprintf %s "$TOKEN" >seen\n')
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.fixture
def run(guide_brokers: GuideBrokers, programs: Path) -> Run:
    """Run a job beside the broker of a guide."""

    def run(name: str, job: dict[str, Any], claims: dict[str, Any]) -> JobRun:
        places = {DEPLOYMENTS: guide_brokers.service_of(name)}
        broker = guide_brokers.of(name)

        def mint(audience: str) -> str:
            return broker.github.token(github_claims(**claims), audience=audience)

        with GithubRunner(programs, mint).serving() as runner:
            return run_job(job, runner, places | {BROKER: broker.url})

    return run


@pytest.mark.parametrize(("name", "job", "claims", "answer"), JOBS)
def test_the_workflow_of_a_guide_runs(
    run: Run, programs: Path, name: str, job: str, claims: dict[str, Any], answer: str
) -> None:
    done = run(name, jobs_of(name)[job], claims)

    if "_" in answer:
        assert not done.passed
        assert f"Refused%3A {answer}" in done.log
        assert not (programs / "seen").exists()
    else:
        assert done.passed, done.log
        outputs = done.outputs["broker"]
        assert outputs["service-account"] == answer
        used = programs / "seen"
        assert f'"by": "{answer}"' in done.log or used.read_text() == outputs["token"]


def test_a_called_workflow_has_no_id_token_that_its_caller_did_not_grant(run: Run) -> None:
    jobs = jobs_of("reusable-workflows")
    called, caller = jobs["deploy"], jobs["release"]
    assert caller["permissions"] == called["permissions"]
    assert caller["uses"] == WORKFLOW

    # What the runner gives a job is what both grant.
    granted = called | {"permissions": {"contents": "read"}}
    done = run("reusable-workflows", granted, {"job_workflow_ref": WORKFLOW})

    assert not done.passed
    assert "id-token: write" in done.log
