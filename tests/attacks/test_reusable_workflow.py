"""Rows 96-98: a trusted workflow that strangers call, that moves, or that a branch rewrites."""

from collections.abc import Iterator

import httpx
import pytest

from tests.attacks.own_tenants import assert_no_policy, assert_permitted_by
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

DEPLOY = "octo-org/workflows/.github/workflows/deploy.yml"
SHA = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
POLICIES = f"""\
policies:
  reusable:
    service_account: deploy-web
    issuer: github
    match: {{repository_owner_id: 77, job_workflow_ref: "{DEPLOY}@refs/heads/main"}}
  without-ref:
    service_account: deploy-web
    issuer: github
    match: {{repository_owner_id: 78, job_workflow_ref: "{DEPLOY}"}}
  any-tag:
    service_account: deploy-web
    issuer: github
    match: {{repository_owner_id: 79, job_workflow_ref: {{glob: "{DEPLOY}@refs/tags/v*"}}}}
  pinned:
    service_account: deploy-web
    issuer: github
    match:
      repository_owner_id: 80
      job_workflow_ref: "{DEPLOY}@refs/tags/v3"
      job_workflow_sha: {SHA}
  caller:
    service_account: deploy-web
    issuer: github
    match:
      repository_id: 81
      workflow_ref: octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


def from_workflow(
    broker: RunningBroker, ref: str, owner_id: str = "77", **claims: str
) -> httpx.Response:
    token = broker.github_token(
        repository_id="1", repository_owner_id=owner_id, job_workflow_ref=ref, **claims
    )
    return broker.exchange(token)


def test_the_owners_jobs_may_run_it(broker: RunningBroker) -> None:
    assert_permitted_by(broker, from_workflow(broker, f"{DEPLOY}@refs/heads/main"), "reusable")


def test_a_strangers_job_may_not(broker: RunningBroker) -> None:
    """Anybody can call a public workflow: `job_workflow_ref` is ours, the repository is not."""
    answer = from_workflow(
        broker, f"{DEPLOY}@refs/heads/main", owner_id="666", repository="evil/octo-repo"
    )

    assert_no_policy(broker, answer)


def test_nor_one_whose_sub_was_made_to_name_it(broker: RunningBroker) -> None:
    ref = f"{DEPLOY}@refs/heads/main"

    answer = from_workflow(broker, ref, owner_id="666", sub=f"job_workflow_ref:{ref}")

    assert_no_policy(broker, answer)


@pytest.mark.parametrize(
    "ref",
    [
        f"{DEPLOY}@refs/heads/x",
        f"{DEPLOY}@refs/heads/main2",
        f"{DEPLOY}@refs/tags/main",
        f"{DEPLOY}@refs/pull/42/merge",
        f"{DEPLOY}@main",
        f"{DEPLOY}@{SHA}",
        f"{DEPLOY}@refs/heads/main@refs/heads/x",
        f"{DEPLOY}@",
        DEPLOY,
        "octo-org/workflows/.github/workflows/other.yml@refs/heads/main",
        "evil/workflows/.github/workflows/deploy.yml@refs/heads/main",
        f"evil/{DEPLOY}@refs/heads/main",
        "octo-org/workflows/.github/workflows/../workflows/deploy.yml@refs/heads/main",
        "octo-org/workflows/.github/workflows/deploy.yml@refs/heads/main ",
        "Octo-Org/workflows/.github/workflows/deploy.yml@refs/heads/main",
    ],
)
def test_the_workflow_of_another_branch_is_another_one(broker: RunningBroker, ref: str) -> None:
    assert_no_policy(broker, from_workflow(broker, ref))


@pytest.mark.parametrize("ref", [f"{DEPLOY}@refs/heads/main", f"{DEPLOY}@{SHA}", f"{DEPLOY}@"])
def test_a_workflow_without_ref_is_no_prefix(broker: RunningBroker, ref: str) -> None:
    assert_no_policy(broker, from_workflow(broker, ref, owner_id="78"))


def test_a_tag_moves_but_not_the_commit(broker: RunningBroker) -> None:
    tag = f"{DEPLOY}@refs/tags/v3"

    moved = [
        from_workflow(broker, tag, owner_id, job_workflow_sha="0" * 40) for owner_id in ("79", "80")
    ]
    unmoved = from_workflow(broker, tag, "80", job_workflow_sha=SHA)

    assert_permitted_by(broker, moved[0], "any-tag")
    assert_no_policy(broker, moved[1])
    assert_permitted_by(broker, unmoved, "pinned")
    assert_no_policy(broker, from_workflow(broker, tag, "80", job_workflow_sha=SHA[:7]))


def test_the_commit_of_the_caller_is_not_that_of_the_workflow(broker: RunningBroker) -> None:
    answer = from_workflow(
        broker, f"{DEPLOY}@refs/tags/v3", "80", sha=SHA, workflow_sha=SHA, job_workflow_sha="0" * 40
    )

    assert_no_policy(broker, answer)


def test_the_workflow_that_calls_is_not_the_one_that_runs(broker: RunningBroker) -> None:
    caller = "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main"

    for called in (caller, "evil/workflows/.github/workflows/x.yml@refs/heads/main"):
        token = broker.github_token(
            repository_id="81", workflow_ref=caller, job_workflow_ref=called
        )
        # The policy says who calls; what is called from elsewhere is not its subject.
        assert_permitted_by(broker, broker.exchange(token), "caller")
    token = broker.github_token(
        repository_id="81",
        workflow_ref="octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/x",
        job_workflow_ref=caller,
    )
    assert_no_policy(broker, broker.exchange(token))
