"""Rows 93-95: names that whoever writes a workflow, or holds a handle, chooses freely."""

from collections.abc import Iterator

import pytest

from tests.attacks.configuration import problem_of
from tests.attacks.own_tenants import (
    assert_no_policy,
    assert_permitted_by,
    from_github,
    from_gitlab,
    policies_of_own_tenants,
)
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

POLICIES = f"""\
policies:
{policies_of_own_tenants({
    "workflow": "workflow: Deploy to production",
    "actor": "actor: octocat",
    "actor-id": "actor: octocat, actor_id: 583231",
    "no-robots": 'actor: {not: {glob: "*[bot]"}}',
})}
{policies_of_own_tenants({
    "environment": "environment: production",
    "user": "user_id: 1, user_login: sample-user",
}, issuer="gitlab")}
"""  # fmt: skip


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


FILE = """\
issuers:
  github: {{preset: github}}
  gitlab: {{preset: gitlab}}
services:
  deploy-api: {{audience: https://deploy.example.com}}
service_accounts:
  deploy-web: {{grants: {{deploy-api: []}}}}
policies:
  main:
    service_account: deploy-web
    issuer: {issuer}
    match: {{{condition}}}
"""


@pytest.mark.parametrize(
    ("issuer", "condition", "pin"),
    [
        ("github", "workflow: Deploy to production", "repository_id"),
        ("github", "actor: octocat", "repository_id"),
        ("github", "actor_id: 583231", "repository_id"),
        ("github", "head_ref: main", "repository_id"),
        ("github", "ref: refs/heads/main", "repository_id"),
        (
            "github",
            "workflow: x, actor_id: 1, head_ref: b, ref: c, environment: d",
            "repository_id",
        ),
        ("github", "environment_node_id: EN_kwDOVBcNc88AAAAFiytEwA", "repository_id"),
        ("github", "enterprise_id: 2", "repository_id"),
        (
            "github",
            "workflow_ref: octo-org/octo-repo/.github/workflows/x.yml@main",
            "repository_id",
        ),
        ("github", "repo_property_team: web", "repository_id"),
        ("gitlab", "user_id: 1", "project_id"),
        ("gitlab", "user_email: a@corp.example", "project_id"),
        ("gitlab", "groups_direct: my-group", "project_id"),
        ("gitlab", "job_project_path: acme/web", "project_id"),
        ("gitlab", "runner_id: 1, environment: production", "project_id"),
        (
            "gitlab",
            "ci_config_ref_uri: gitlab.com/a/b//.gitlab-ci.yml@refs/heads/main",
            "project_id",
        ),
    ],
)
def test_no_such_name_is_a_tenant(issuer: str, condition: str, pin: str) -> None:
    problem = problem_of(FILE.format(issuer=issuer, condition=condition))

    assert problem.startswith("policies.yaml:12:5: ")
    assert f"pin `{pin}`" in problem


def test_a_strangers_workflow_has_the_same_name(broker: RunningBroker) -> None:
    name = "Deploy to production"

    own = from_github(broker, "workflow", workflow=name)
    strangers = from_github(broker, "666", workflow=name, repository="evil/octo-repo")
    another = from_github(broker, "workflow", workflow=f"{name} ")

    assert_permitted_by(broker, own, "workflow")
    assert_no_policy(broker, strangers)
    assert_no_policy(broker, another)


def test_a_handle_may_be_somebody_elses_by_now_but_not_its_id(broker: RunningBroker) -> None:
    recycled = {"actor": "octocat", "actor_id": "99999999"}

    assert_permitted_by(broker, from_github(broker, "actor", **recycled), "actor")
    assert_no_policy(broker, from_github(broker, "actor-id", **recycled))
    assert_no_policy(broker, from_github(broker, "actor-id", actor="Octocat"))
    assert_permitted_by(broker, from_github(broker, "actor-id"), "actor-id")
    assert_no_policy(broker, from_gitlab(broker, "user", user_id="2"))
    assert_permitted_by(broker, from_gitlab(broker, "user"), "user")


def test_brackets_around_bot_are_no_class_of_characters(broker: RunningBroker) -> None:
    assert_no_policy(broker, from_github(broker, "no-robots", actor="dependabot[bot]"))
    assert_permitted_by(broker, from_github(broker, "no-robots", actor="abbot"), "no-robots")


@pytest.mark.parametrize("environment", ["Production", "PRODUCTION", "production "])
def test_gitlab_tells_environments_apart_by_case(broker: RunningBroker, environment: str) -> None:
    assert_no_policy(broker, from_gitlab(broker, "environment", environment=environment))
    answer = from_gitlab(broker, "environment", environment="production")
    assert_permitted_by(broker, answer, "environment")
