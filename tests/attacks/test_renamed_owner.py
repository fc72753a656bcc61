"""Rows 87, 88: a name that was given up and taken by somebody else."""

from collections.abc import Iterator

import pytest

from tests.attacks.own_tenants import assert_no_policy, assert_permitted_by
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

POLICIES = """\
policies:
  github-ids:
    service_account: deploy-web
    issuer: github
    match: {repository_id: 66, repository_owner_id: 77}
  github-names-and-ids:
    service_account: deploy-web
    issuer: github
    match:
      repository: octo-lab/api
      repository_id: 67
      repository_owner: octo-lab
      repository_owner_id: 77
  github-names-and-owner-id:
    service_account: deploy-web
    issuer: github
    match: {repository: octo-lab/docs, repository_owner_id: 77}
  gitlab-ids:
    service_account: deploy-web
    issuer: gitlab
    match: {project_id: 66, namespace_id: 77}
  gitlab-path-and-ids:
    service_account: deploy-web
    issuer: gitlab
    match: {project_path: octo-lab/api, project_id: 67, namespace_id: 77}
  own-organization:
    service_account: deploy-web
    issuer: github
    match: {repository_owner_id: 1077, ref: refs/heads/main}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


def github(name: str, id_: str, owner_id: str) -> dict[str, str]:
    return {
        "repository": name,
        "repository_id": id_,
        "repository_owner": name.partition("/")[0],
        "repository_owner_id": owner_id,
    }


@pytest.mark.parametrize(
    ("name", "id_", "owner_id"),
    [
        pytest.param("octo-org/octo-repo", "999", "123456", id="the base repository made again"),
        pytest.param("octo-org/octo-repo", "999", "998", id="the base owner taken over"),
        pytest.param("octo-lab/web", "999", "77", id="a repository made again"),
        pytest.param("octo-lab/web", "66", "999", id="a repository given away"),
        pytest.param("octo-lab/web", "999", "998", id="an owner taken over"),
        pytest.param("octo-lab/api", "999", "77", id="its name, another repository"),
        pytest.param("octo-lab/api", "67", "998", id="its name, another owner"),
        pytest.param("octo-lab/renamed", "67", "77", id="both are pinned, the name has changed"),
        pytest.param("octo-moved/api", "67", "77", id="both are pinned, the owner's has changed"),
        pytest.param("octo-lab/docs", "68", "998", id="a name under another owner's id"),
        pytest.param("evil/docs", "68", "77", id="another name under the owner's id"),
        pytest.param("x/y", "77", "66", id="ids in each other's place"),
        pytest.param("66/77", "1", "2", id="ids as names"),
    ],
)
def test_a_name_without_its_ids_is_somebody_else(
    broker: RunningBroker, name: str, id_: str, owner_id: str
) -> None:
    token = broker.github_token(**github(name, id_, owner_id))

    assert_no_policy(broker, broker.exchange(token))


@pytest.mark.parametrize(
    ("policy", "name", "id_"),
    [
        ("github-ids", "octo-lab/web", "66"),
        ("github-ids", "octo-lab/renamed", "66"),
        ("github-ids", "octo-moved/web", "66"),
        ("github-names-and-ids", "octo-lab/api", "67"),
        ("github-names-and-ids", "Octo-Lab/API", "67"),
        ("github-names-and-owner-id", "octo-lab/docs", "1"),
    ],
)
def test_the_ids_stay_through_every_renaming(
    broker: RunningBroker, policy: str, name: str, id_: str
) -> None:
    token = broker.github_token(**github(name, id_, "77"))

    assert_permitted_by(broker, broker.exchange(token), policy)


@pytest.mark.parametrize(
    ("path", "id_", "namespace_id"),
    [
        ("octo-lab/web", "999", "77"),
        ("octo-lab/web", "66", "998"),
        ("octo-lab/api", "999", "77"),
        ("octo-lab/api", "67", "998"),
        ("octo-lab/moved", "67", "77"),
        ("acme/web", "999", "72"),
    ],
)
def test_so_it_is_with_projects(
    broker: RunningBroker, path: str, id_: str, namespace_id: str
) -> None:
    token = broker.gitlab_token(project_path=path, project_id=id_, namespace_id=namespace_id)

    assert_no_policy(broker, broker.exchange(token))


@pytest.mark.parametrize(
    ("policy", "path", "id_"),
    [
        ("gitlab-ids", "octo-lab/moved", "66"),
        ("gitlab-ids", "another-group/web", "66"),
        ("gitlab-path-and-ids", "octo-lab/api", "67"),
    ],
)
def test_and_with_their_ids(broker: RunningBroker, policy: str, path: str, id_: str) -> None:
    token = broker.gitlab_token(project_path=path, project_id=id_, namespace_id="77")

    assert_permitted_by(broker, broker.exchange(token), policy)


def test_the_id_of_an_owner_means_all_its_repositories_and_no_others(broker: RunningBroker) -> None:
    for name in ("octo-lab/a", "octo-lab/fork-of-anything"):
        token = broker.github_token(**github(name, "1", "1077"))
        assert_permitted_by(broker, broker.exchange(token), "own-organization")

    for owner_id in ("107", "10770", "01077", "1078"):
        token = broker.github_token(**github("octo-lab/a", "1", owner_id))
        assert_no_policy(broker, broker.exchange(token))
