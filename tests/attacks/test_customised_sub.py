"""Rows 69, 72, 73: a `sub` whose make the owner of the repository, or the platform, has changed."""

from collections.abc import Iterator

import pytest

from broker.testing import github_claims
from tests.attacks.configuration import problem_of
from tests.attacks.own_tenants import assert_no_policy, assert_permitted_by
from tests.attacks.refusals import assert_refused
from tests.running_broker import AUDIENCE, OCTO_REPO, RunningBroker
from tests.special_brokers import special_broker

MAIN_BY_SUB = "repo:octo-lab/web:ref:refs/heads/main"
POLICIES = f"""\
policies:
  main-by-sub:
    service_account: deploy-web
    issuer: github
    match: {{sub: "{MAIN_BY_SUB}"}}
  main-by-immutable-sub:
    service_account: deploy-web
    issuer: github
    match: {{sub: "repo:octo-lab@77/api@88:ref:refs/heads/main"}}
  owner-and-sub-of-workflow:
    service_account: deploy-web
    issuer: github
    match:
      repository_owner_id: 99
      sub: "job_workflow_ref:octo-lab/ci/.github/workflows/deploy.yml@refs/heads/main"
  main-of-a-project:
    service_account: deploy-web
    issuer: gitlab
    match: {{sub: "project_path:octo-lab/web:ref_type:branch:ref:main"}}
"""
LAB = {
    "repository": "octo-lab/web",
    "repository_id": "66",
    "repository_owner": "octo-lab",
    "repository_owner_id": "77",
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


@pytest.mark.parametrize(
    "sub",
    [
        "repo:octo-lab/web",
        "repository_owner:octo-lab",
        "repository_owner:octo-lab:repository_visibility:private",
        "repository_owner_id:77",
        "repository_id:66",
        "environment:production%3Aeastus:repository_owner:octo-lab",
        "ref:refs/heads/main",
        "ref:refs/heads/main:repo:octo-lab/web",
        "repo:octo-lab/web:ref:refs/heads/main:environment:x",
        "job_workflow_ref:octo-lab/web/.github/workflows/deploy.yml@refs/heads/main",
        "repo_property_workspace_id:ws-abc123",
        "repo:octo-lab/web:pull_request",
    ],
)
def test_a_sub_of_the_owners_own_make_is_no_other_one(broker: RunningBroker, sub: str) -> None:
    """The job of a branch, whose owner left the branch out of `sub` or turned it round."""
    token = broker.github_token(**{**LAB, "ref": "refs/heads/feature", "sub": sub})

    assert_no_policy(broker, broker.exchange(token))


@pytest.mark.parametrize(
    "sub",
    [
        "repo:octo-org/octo-repo",
        "repository_owner:octo-org",
        "environment:production",
        "repo:evil/x:ref:refs/heads/main",
    ],
)
def test_claims_are_compared_whatever_sub_is_made_of(broker: RunningBroker, sub: str) -> None:
    """The sub of the base token is replaced: `octo-main` looks at the claims themselves."""
    assert_permitted_by(broker, broker.exchange(broker.github_token(sub=sub)), "octo-main")


def test_the_owner_of_one_repository_cannot_make_the_sub_of_another(broker: RunningBroker) -> None:
    """Workflow paths are names: whoever may choose `sub` can begin it with one of ours."""
    sub = "job_workflow_ref:octo-lab/ci/.github/workflows/deploy.yml@refs/heads/main"

    stranger = broker.github_token(**{**LAB, "repository_owner_id": "666", "sub": sub})
    own = broker.github_token(**{**LAB, "repository_owner_id": "99", "sub": sub})

    assert_no_policy(broker, broker.exchange(stranger))
    assert_permitted_by(broker, broker.exchange(own), "owner-and-sub-of-workflow")


@pytest.mark.parametrize(
    "sub",
    [
        "project_path:octo-lab/web",
        "project_path:octo-lab/web:ref:main",
        "project_path:octo-lab/web:ref:main:ref_type:branch",
        "project_path:octo-lab/web:ref_type:branch:ref:main:ref_protected:false",
        "project_id:20:ref_type:branch:ref:main",
    ],
)
def test_so_it_is_on_gitlab(broker: RunningBroker, sub: str) -> None:
    token = broker.gitlab_token(project_id="21", project_path="octo-lab/web", sub=sub)

    assert_no_policy(broker, broker.exchange(token))


# --- the platform changes its form ----------------------------------------------------------------


def test_a_policy_on_claims_outlives_a_change_of_form(broker: RunningBroker) -> None:
    claims = github_claims(immutable_sub=True, **OCTO_REPO)
    assert claims["sub"] == "repo:octo-org@123456/octo-repo@456789:ref:refs/heads/main"

    answer = broker.exchange(broker.github.token(claims, audience=AUDIENCE))

    assert_permitted_by(broker, answer, "octo-main")


def test_one_on_sub_does_not(broker: RunningBroker) -> None:
    classic = broker.github_token(**LAB)
    immutable = broker.github.token(github_claims(immutable_sub=True, **LAB), audience=AUDIENCE)

    assert_permitted_by(broker, broker.exchange(classic), "main-by-sub")
    assert_no_policy(broker, broker.exchange(immutable))


def test_one_on_the_immutable_form_means_these_ids_alone(broker: RunningBroker) -> None:
    api = {**LAB, "repository": "octo-lab/api", "repository_id": "88"}
    squatters = [
        api | {"repository_id": "89"},
        api | {"repository_owner_id": "78"},
        api | {"repository": "octo-lab/renamed"},
    ]

    for claims in squatters:
        token = broker.github.token(github_claims(immutable_sub=True, **claims), audience=AUDIENCE)
        assert_no_policy(broker, broker.exchange(token))
    token = broker.github.token(github_claims(immutable_sub=True, **api), audience=AUDIENCE)
    assert_permitted_by(broker, broker.exchange(token), "main-by-immutable-sub")


# --- neither one form nor the other ---------------------------------------------------------------


HALF = [
    "repo:octo-org@123456/octo-repo:ref:refs/heads/main",
    "repo:octo-org/octo-repo@456789:ref:refs/heads/main",
    "repo:octo-org@123456/octo-repo@:ref:refs/heads/main",
    "repo:octo-org@/octo-repo@456789:ref:refs/heads/main",
    "repo:octo-org@x/octo-repo@456789:ref:refs/heads/main",
    "repo:octo-org@123456/octo-repo@456789@1:ref:refs/heads/main",
    "repo:octo-org@123456/octo-repo",
    "repo:octo-org@123456",
]


@pytest.mark.parametrize("sub", HALF)
def test_a_sub_that_is_half_immutable_is_nobodys(broker: RunningBroker, sub: str) -> None:
    answer = broker.exchange(broker.github_token(sub=sub))

    assert_refused(broker, answer, "claim_invalid")


@pytest.mark.parametrize("sub", HALF)
def test_nor_can_a_policy_mean_one(sub: str) -> None:
    problem = problem_of(
        "issuers:\n  github: {preset: github}\n"
        "services:\n  deploy-api: {audience: 'https://deploy.example.com'}\n"
        "service_accounts:\n  deploy-web: {grants: {deploy-api: []}}\n"
        "policies:\n  main:\n    service_account: deploy-web\n    issuer: github\n"
        f"    match: {{sub: '{sub}'}}\n"
    )

    assert problem.startswith("policies.yaml:11:18: ")
    assert "begins with `repo:OWNER/REPO`" in problem


@pytest.mark.parametrize(
    "sub",
    [
        "repo:octo-org/octo-repo:ref:refs/heads/user@host",
        "repo:octo-org@123456/octo-repo@456789:environment:a@b",
        "environment:a@b:repo:octo-org/octo-repo",
        "job_workflow_ref:octo-org/ci/.github/workflows/x.yml@refs/heads/main",
        "repo:octo-org/octo-repo",
        "repo:octo-org@123456/octo-repo@456789",
    ],
)
def test_an_at_sign_elsewhere_is_no_id(broker: RunningBroker, sub: str) -> None:
    answer = broker.exchange(broker.github_token(sub=sub, environment="a@b"))

    assert_permitted_by(broker, answer, "octo-main")
