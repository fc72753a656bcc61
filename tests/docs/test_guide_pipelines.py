"""The GitLab pipelines of the guides, run whole against the policies of the same guide."""

import re
from pathlib import Path
from typing import Any

import pytest

from broker.testing import gitlab_claims
from tests.docs.brokers_of_pages import broker_of
from tests.docs.markdown import Page
from tests.docs.policies_in_pages import policy_blocks
from tests.gitlab.component_project import ComponentProject, require_programs
from tests.protected_service import protected_service

BROKER = "https://broker.example.com"
SERVICE = "https://deploy.example.com"
INFRASTRUCTURE = {"project_path": "acme/infrastructure", "project_id": "30"}
MONO = {"project_path": "acme/mono", "project_id": "31", "environment": "shop/production"}

# Guide, job, the claims of its token, the variables that GitLab sets, and the answer.
JOBS: list[tuple[str, str, dict[str, Any], dict[str, str], str]] = [
    ("gitlab-ci", "deploy", {}, {}, "deploy-web"),
    ("gitlab-ci", "deploy", {"ref": "x"}, {}, "no_policy_matched"),
    (
        "plan-and-apply",
        "plan",
        INFRASTRUCTURE | {"pipeline_source": "merge_request_event"},
        {"CI_PIPELINE_SOURCE": "merge_request_event"},
        "infrastructure-plan",
    ),
    ("plan-and-apply", "apply", INFRASTRUCTURE, {}, "infrastructure-apply"),
    ("monorepo", "deploy-shop", MONO | {"environment_protected": "true"}, {}, "deploy-shop"),
    ("monorepo", "deploy-shop", MONO, {}, "no_policy_matched"),
    ("whole-organization", "publish", {}, {}, "project-ci"),
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


@pytest.mark.parametrize(("guide", "job", "claims", "variables", "answer"), JOBS)
def test_the_pipeline_of_a_guide_runs(
    project: ComponentProject,
    tmp_path: Path,
    guide: str,
    job: str,
    claims: dict[str, Any],
    variables: dict[str, str],
    answer: str,
) -> None:
    page = Page(f"docs/guides/{guide}.md")
    (policies,) = policy_blocks(page)
    (shown,) = [each.text for each in page.blocks("yaml") if "component:" in each.text]
    seen = tmp_path / "seen"
    with (
        broker_of(tmp_path / "served", policies.text).serving() as broker,
        protected_service(broker.url) as service,
    ):
        token = broker.gitlab.token(gitlab_claims(**claims), audience=broker.url)
        done = project.run(
            job,
            pipeline=in_this_project(shown).replace(BROKER, broker.url).replace(SERVICE, service),
            variables=variables | {"BROKER_ID_TOKEN": token, "SEEN": str(seen)},
        )

        assert token not in done.log
        said = "\n".join(done.said())
        if "_" in answer:
            assert not done.passed
            assert f"reason:      {answer}" in said
            assert not seen.exists()
        else:
            assert done.passed, done.log
            assert f" as {answer}; " in said
            assert seen.exists() or f'"by": "{answer}"' in done.log
            assert not seen.exists() or seen.read_text() not in done.log


def in_this_project(pipeline: str) -> str:
    """Let a pipeline include the templates of this commit."""
    return re.sub(
        r"\$CI_SERVER_FQDN/acme/broker/([\w-]+)@[0-9a-f]{40}",
        r"$CI_SERVER_FQDN/$CI_PROJECT_PATH/\1@$CI_COMMIT_SHA",
        pipeline,
    )
