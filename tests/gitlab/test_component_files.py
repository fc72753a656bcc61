"""actions/gitlab as a component project: GitLab's schema, its page, its own pipeline."""

import re
from pathlib import Path

import pytest
import re2
import yaml

from tests.docs.checkers import check_schema
from tests.docs.markdown import Page, code, rows
from tests.gitlab.component_project import COMPONENTS, ComponentProject
from tests.gitlab.templates import TEMPLATES, inputs_of, job_of
from tests.running_broker import AUDIENCE, RunningBroker

PAGE = Page("actions/gitlab/README.md")
NAMES = sorted(file.stem for file in TEMPLATES.iterdir())


def test_the_project_has_what_the_catalog_asks_for() -> None:
    assert {"README.md", "LICENSE", ".gitlab-ci.yml", "templates"} <= {
        each.name for each in COMPONENTS.iterdir()
    }
    assert (COMPONENTS / "LICENSE").read_text() == (COMPONENTS / "../../LICENSE").read_text()


def test_the_templates_and_the_projects_pipeline_fit_gitlabs_schema(tmp_path: Path) -> None:
    files = [COMPONENTS / ".gitlab-ci.yml"]
    for name in NAMES:
        # The schema knows one document for each file.
        parts = {
            "head": {"spec": {"inputs": inputs_of(name)}},
            "job": {"deploy": {"script": ["true"]} | job_of(name)},
        }
        for part, content in parts.items():
            files.append(tmp_path / f"{name}-{part}.yml")
            files[-1].write_text(yaml.safe_dump(content))

    check_schema("vendor.gitlab-ci", *files)


def test_all_templates_have_the_same_inputs() -> None:
    texts = {
        name: {each: (said.get("default"), said["regex"]) for each, said in inputs_of(name).items()}
        for name in NAMES
    }

    assert all(each == texts["token"] for each in texts.values())


def test_the_page_names_every_component_and_every_input() -> None:
    assert sorted(code(row[0]) for row in rows(PAGE.section("Components"))) == NAMES
    shown = {code(row[0]): row for row in rows(PAGE.section("Inputs"))}
    assert list(shown) == list(inputs_of("token"))
    for each, said in inputs_of("token").items():
        assert ("required" in shown[each][1]) == ("default" not in said)


@pytest.mark.parametrize(
    ("given", "value", "fits"),
    [
        ("broker-url", "https://broker.example.com", True),
        ("broker-url", "https://broker.example.com:8443/ci/", True),
        ("broker-url", "http://127.0.0.1:8080", True),
        ("broker-url", "http://broker.example.com", False),
        ("broker-url", "http://127.0.0.1.example.com", False),
        ("broker-url", "https://broker.example.com'; id", False),
        ("broker-url", "https://broker.example.com/$(id)", False),
        ("broker-url", "", False),
        ("service", "deploy-api", True),
        ("service", "https://deploy.example.com/a?b=c", True),
        ("service", "deploy-api'; id '", False),
        ("service", "", False),
        ("audience", "https://broker.example.com", True),
        ("audience", "https://broker.example.com'", False),
        ("scope", "deploy:read deploy:write", True),
        ("scope", "deploy:read\ndeploy:write", False),
        ("scope", "deploy:write'", False),
        ("service-account", "deploy-web", True),
        ("service-account", "deploy-web'", False),
        ("ttl", "10m", True),
        ("ttl", "010m", False),
        ("ttl", "10", False),
        ("ttl", "10m; id", False),
    ],
)
def test_an_input_that_would_leave_its_quotes_does_not_fit(
    given: str, value: str, fits: bool
) -> None:
    # GitLab's regular expressions are RE2.
    assert (re2.search(inputs_of("token")[given]["regex"], value) is not None) == fits


def test_the_projects_own_pipeline_passes(today_broker: RunningBroker, tmp_path: Path) -> None:
    project = ComponentProject.cloned(tmp_path / "broker")
    text = (COMPONENTS / ".gitlab-ci.yml").read_text()
    text = text.replace("audience: https://broker.example.com", f"audience: {AUDIENCE}")
    text = text.replace("https://broker.example.com", today_broker.url)

    variables = {"BROKER_ID_TOKEN": today_broker.gitlab_token(), "BROKER_IMAGE": "ours"}
    done = project.run(pipeline=text, variables=variables, schema=True)

    assert done.passed, done.log
    passed = set(re.findall(r"^ PASS  (\S+)", done.log, re.MULTILINE))
    assert passed == {"token", "token-curl", "explain", "explain-curl"}
