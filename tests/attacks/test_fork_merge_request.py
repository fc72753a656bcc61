"""Rows 106, 107, 109: a fork's merge request, a configuration from elsewhere, a path in a list."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.attacks.own_tenants import (
    assert_no_policy,
    assert_permitted_by,
    from_gitlab,
    policies_of_own_tenants,
)
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

CONFIGURATION = "gitlab.com/my-group/web//.gitlab-ci.yml@refs/heads/main"
POLICIES = f"""\
policies:
{policies_of_own_tenants({
    "protected": "ref_protected: true",
    "merge-requests": "pipeline_source: merge_request_event",
    "own-merge-requests":
        "job_project_id: own-merge-requests, pipeline_source: merge_request_event",
    "configuration": f'ci_config_ref_uri: "{CONFIGURATION}"',
    "configuration-of-this-commit": 'ci_config_sha: {glob: "4b825dc*"}',
    "group": "groups_direct: my-group/ops",
    "user": "user_id: 1",
}, issuer="gitlab")}
"""  # fmt: skip


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


FORK = {"project_id": "666", "project_path": "mallory/web", "namespace_id": "667"}


@pytest.mark.parametrize("target", ["protected", "merge-requests", "own-merge-requests"])
def test_a_mended_gitlab_names_the_fork(broker: RunningBroker, target: str) -> None:
    """The token says whose code it is; that the job runs in our project is in `job_project_id`."""
    token = broker.gitlab_token(
        **FORK,
        pipeline_source="merge_request_event",
        job_project_id=target,
        job_project_path="my-group/web",
    )

    assert_no_policy(broker, broker.exchange(token))


def test_an_unmended_one_names_the_target(broker: RunningBroker) -> None:
    """Then nothing tells the fork apart but that its token lacks the newer claims."""
    forged = {
        "pipeline_source": "merge_request_event",
        "job_project_id": None,
        "job_project_path": None,
        "job_namespace_id": None,
        "job_namespace_path": None,
    }

    assert_no_policy(broker, from_gitlab(broker, "protected", ref_protected="true", **forged))
    assert_no_policy(broker, from_gitlab(broker, "own-merge-requests", **forged))
    assert_permitted_by(broker, from_gitlab(broker, "merge-requests", **forged), "merge-requests")


@pytest.mark.parametrize("job_project", ["666", "", None, "Own-Merge-Requests"])
def test_the_project_where_the_job_runs_may_be_pinned_too(
    broker: RunningBroker, job_project: str | None
) -> None:
    policy = "own-merge-requests"
    source = {"pipeline_source": "merge_request_event"}

    assert_no_policy(broker, from_gitlab(broker, policy, job_project_id=job_project, **source))
    assert_permitted_by(broker, from_gitlab(broker, policy, **source), policy)


@pytest.mark.parametrize(
    "uri",
    [
        "gitlab.com/mallory/web//.gitlab-ci.yml@refs/heads/main",
        "gitlab.com.evil.example/my-group/web//.gitlab-ci.yml@refs/heads/main",
        "evil.example/gitlab.com/my-group/web//.gitlab-ci.yml@refs/heads/main",
        "gitlab.com/my-group/web//.gitlab-ci.yml@refs/heads/feature",
        "gitlab.com/my-group/web//.gitlab-ci.yml@refs/tags/main",
        "gitlab.com/my-group/web//.gitlab-ci.yml@refs/heads/main2",
        "gitlab.com/my-group/web//.gitlab-ci.yml",
        "gitlab.com/my-group/web//other.yml@refs/heads/main",
        "gitlab.com/my-group/web/.gitlab-ci.yml@refs/heads/main",
        "gitlab.com/My-Group/web//.gitlab-ci.yml@refs/heads/main",
        f"https://{CONFIGURATION}",
        f"{CONFIGURATION}@{CONFIGURATION}",
        "",
        None,
    ],
)
def test_a_configuration_is_known_by_its_whole_address(
    broker: RunningBroker, uri: str | None
) -> None:
    assert_no_policy(broker, from_gitlab(broker, "configuration", ci_config_ref_uri=uri))
    own = from_gitlab(broker, "configuration", ci_config_ref_uri=CONFIGURATION)
    assert_permitted_by(broker, own, "configuration")


@pytest.mark.parametrize("commit", [None, "", "0" * 40])
def test_one_from_elsewhere_has_no_commit_here(broker: RunningBroker, commit: str | None) -> None:
    policy = "configuration-of-this-commit"

    assert_no_policy(broker, from_gitlab(broker, policy, ci_config_sha=commit))
    assert_permitted_by(broker, from_gitlab(broker, policy), policy)


@pytest.mark.parametrize(
    "groups",
    [
        "my-group/ops-team",
        "my-group",
        ["my-group/ops-team"],
        ["my-group", "ops"],
        ["my-group/ops/x"],
        ["x/my-group/ops"],
        ["My-Group/Ops"],
        ["my-group/ops,my-group/x"],
        "['my-group/ops']",
        '["my-group/ops"]',
        [["my-group/ops"]],
        [{"path": "my-group/ops"}],
        {"my-group/ops": True},
        [],
        None,
    ],
    ids=repr,
)
def test_membership_is_one_whole_element(broker: RunningBroker, groups: Any) -> None:
    assert_no_policy(broker, from_gitlab(broker, "group", groups_direct=groups))


@pytest.mark.parametrize(
    "groups", [["my-group/ops"], ["x", "my-group/ops"], "my-group/ops"], ids=repr
)
def test_anywhere_in_the_list(broker: RunningBroker, groups: Any) -> None:
    assert_permitted_by(broker, from_gitlab(broker, "group", groups_direct=groups), "group")


def test_a_user_is_known_by_the_id(broker: RunningBroker) -> None:
    recycled = from_gitlab(broker, "user", user_id="11", user_login="sample-user")
    renamed = from_gitlab(broker, "user", user_id="1", user_login="another-name")

    assert_no_policy(broker, recycled)
    assert_permitted_by(broker, renamed, "user")
