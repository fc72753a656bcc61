"""The GitLab pipelines of the guides, run whole against the policies of the same guide."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from broker.testing import gitlab_claims
from tests.docs.brokers_of_pages import GuideBrokers, guide
from tests.gitlab.component_project import ComponentProject, in_this_project, require_programs

BROKER = "https://broker.example.com"
SERVICE = "https://deploy.example.com"
INFRASTRUCTURE = {"project_path": "acme/infrastructure", "project_id": "30"}
MERGE_REQUEST = INFRASTRUCTURE | {"pipeline_source": "merge_request_event"}
MONO = {"project_path": "acme/mono", "project_id": "31", "environment": "shop/production"}


class Job(NamedTuple):
    """A job of a guide, and what the broker answers it."""

    guide: str
    name: str
    claims: dict[str, Any]
    answer: str
    source: str = "push"


JOBS = [
    Job("gitlab-ci", "deploy", {}, "deploy-web"),
    Job("gitlab-ci", "deploy", {"ref": "x"}, "no_policy_matched"),
    Job("plan-and-apply", "plan", MERGE_REQUEST, "infrastructure-plan", "merge_request_event"),
    Job("plan-and-apply", "apply", INFRASTRUCTURE, "infrastructure-apply"),
    Job("monorepo", "deploy-shop", MONO | {"environment_protected": "true"}, "deploy-shop"),
    Job("monorepo", "deploy-shop", MONO, "no_policy_matched"),
    Job("whole-organization", "publish", {}, "project-ci"),
]


@pytest.fixture
def project(tmp_path: Path) -> ComponentProject:
    """The project of a guide, whose programs note the token that they were given."""
    require_programs()
    project = ComponentProject.cloned(tmp_path / "broker")
    for name in ("plan", "apply", "deploy", "publish"):
        program = project.folder / name
        program.write_text('#!/bin/sh\nprintf %s "$BROKER_TOKEN" >"$SEEN"\n')
        program.chmod(0o755)
    (project.folder / "shop").mkdir()
    (project.folder / "shop/new").touch()
    return project


@pytest.mark.parametrize("job", JOBS, ids=lambda job: f"{job.guide}-{job.name}-{job.answer}")
def test_the_pipeline_of_a_guide_runs(
    guide_brokers: GuideBrokers, project: ComponentProject, tmp_path: Path, job: Job
) -> None:
    (shown,) = [each.text for each in guide(job.guide).blocks("yaml") if "component:" in each.text]
    shown = shown.replace(SERVICE, guide_brokers.service_of(job.guide))
    broker = guide_brokers.of(job.guide)
    token = broker.gitlab.token(gitlab_claims(**job.claims), audience=broker.url)
    seen = tmp_path / "seen"

    done = project.run(
        job.name,
        pipeline=in_this_project(shown).replace(BROKER, broker.url),
        variables={
            "BROKER_ID_TOKEN": token,
            "CI_PIPELINE_SOURCE": job.source,
            "SEEN": str(seen),
        },
    )

    assert token not in done.log
    said = "\n".join(done.said())
    if "_" in job.answer:
        assert not done.passed
        assert f"reason:      {job.answer}" in said
        assert not seen.exists()
    else:
        assert done.passed, done.log
        assert f" as {job.answer}; " in said
        assert seen.exists() or f'"by": "{job.answer}"' in done.log
        assert not seen.exists() or seen.read_text() not in done.log
