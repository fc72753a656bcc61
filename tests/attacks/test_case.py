"""Row 57: names that the platform itself does not tell apart by case, and names that it does."""

from collections.abc import Iterator

import pytest

from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

WORKFLOW = "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main"
ARTIFACTS = "https://artifacts.example.com"
POLICIES = f"""\
service_accounts:
  publisher: {{grants: {{artifacts: [artifacts:write]}}}}
policies:
  by-name:
    service_account: publisher
    issuer: github
    match:
      repository_owner: octo-org
      repository: {{glob: "octo-org/octo-*"}}
      environment: {{regex: "prod(uction)?"}}
      job_workflow_ref: {WORKFLOW}
  by-path:
    service_account: publisher
    issuer: gitlab
    match: {{project_path: [acme/web, acme/api], namespace_path: Acme, ref: main}}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


@pytest.mark.parametrize(
    "repository", ["octo-org/octo-repo", "Octo-Org/Octo-Repo", "OCTO-ORG/OCTO-REPO"]
)
@pytest.mark.parametrize("environment", ["prod", "Prod", "PRODUCTION"])
def test_github_names_ignore_case_in_every_operator(
    broker: RunningBroker, repository: str, environment: str
) -> None:
    token = broker.github_token(
        repository=repository,
        repository_owner=repository.partition("/")[0],
        environment=environment,
        workflow_ref=WORKFLOW,
    )

    answer = broker.exchange(token, audience="artifacts", client_id="publisher")

    verified(broker, answer, audience=ARTIFACTS)


@pytest.mark.parametrize("project", ["acme/web", "Acme/Web", "ACME/API"])
def test_gitlab_paths_ignore_case(broker: RunningBroker, project: str) -> None:
    token = broker.gitlab_token(project_path=project, project_id="21")

    answer = broker.exchange(token, audience="artifacts")

    verified(broker, answer, audience=ARTIFACTS)


def test_a_service_account_of_another_case_is_another_one(broker: RunningBroker) -> None:
    answer = broker.exchange(broker.github_token(), client_id="Deploy-Web")

    assert_refused(broker, answer, "no_policy_matched")


@pytest.mark.parametrize("ref", ["refs/heads/Main", "Refs/heads/main", "REFS/HEADS/MAIN"])
def test_a_ref_is_compared_exactly(broker: RunningBroker, ref: str) -> None:
    assert_refused(broker, broker.exchange(broker.github_token(ref=ref)), "no_policy_matched")


def test_so_is_a_gitlab_ref(broker: RunningBroker) -> None:
    answer = broker.exchange(broker.gitlab_token(project_id="21", ref="MAIN"), audience="artifacts")

    assert_refused(broker, answer, "no_policy_matched")


@pytest.mark.parametrize(
    "workflow",
    [
        "Octo-Org/octo-repo/.github/workflows/deploy.yml@refs/heads/main",
        "octo-org/octo-repo/.github/workflows/Deploy.yml@refs/heads/main",
        "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/MAIN",
    ],
)
def test_so_is_a_workflow(broker: RunningBroker, workflow: str) -> None:
    token = broker.github_token(environment="prod", workflow_ref=workflow)

    answer = broker.exchange(token, audience="artifacts", client_id="publisher")

    assert_refused(broker, answer, "no_policy_matched")


@pytest.mark.parametrize("event", ["PUSH", "Push", "WORKFLOW_DISPATCH"])
def test_so_is_an_event(broker: RunningBroker, event: str) -> None:
    token = broker.github_token(event_name=event)

    assert_refused(broker, broker.exchange(token), "no_policy_matched")
