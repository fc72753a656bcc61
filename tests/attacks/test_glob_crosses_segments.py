"""Rows 60-63, 101, 108: a glob that reaches further than the part it was written for."""

from collections.abc import Iterator

import pytest

from tests.attacks.own_tenants import (
    assert_no_policy,
    assert_permitted_by,
    from_github,
    from_gitlab,
    policies_of_own_tenants,
)
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

MAIN = "refs/heads/main"
GITHUB_CONDITIONS = {
    "sub-of-main": 'sub: {glob: "repo:octo-org/*:ref:refs/heads/main"}',
    "any-sub-of-main": 'sub: {glob: "repo:octo-org/**:ref:refs/heads/main"}',
    "prefix-of-main": 'ref: {glob: "refs/heads/main*"}',
    "one-segment": 'ref: {glob: "refs/heads/*"}',
    "releases": 'ref: [refs/heads/main, {glob: "refs/heads/release/*"}]',
    "everything": 'ref: {glob: "**"}',
    "one-character": 'ref: {glob: "refs/heads/v?"}',
    "brackets": 'workflow: {glob: "[ab]pp"}',
    "whole-value": 'workflow: {glob: "Deploy*"}',
    "one-directory": 'job_workflow_ref: {glob: "octo-org/ci/.github/workflows/*.yml@*"}',
}
OWNERS = """\
  own-repositories:
    service_account: deploy-web
    issuer: github
    match: {repository: {glob: "acme-of-globs/*"}}
  own-prefix:
    service_account: deploy-web
    issuer: github
    match: {repository: {glob: "acme-of-prefixes/web*"}}
  own-projects:
    service_account: deploy-web
    issuer: gitlab
    match: {project_path: {glob: "my-group/*"}}
  own-tree:
    service_account: deploy-web
    issuer: gitlab
    match: {project_path: {glob: "my-tree/**"}}
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    policies = "policies:\n" + policies_of_own_tenants(GITHUB_CONDITIONS) + OWNERS
    with special_broker(tmp_path_factory.mktemp("broker"), policies) as broker:
        yield broker


@pytest.mark.parametrize(
    ("policy", "sub"),
    [
        ("sub-of-main", "repo:octo-org/x:environment:y:ref:refs/heads/main"),
        ("sub-of-main", "repo:octo-org/x/y:ref:refs/heads/main"),
        ("sub-of-main", "repo:octo-org/x:ref:refs/heads/main:ref:refs/heads/main"),
        ("sub-of-main", "repo:octo-org@1/x@2:ref:refs/heads/main"),
        ("sub-of-main", "repo:octo-org-evil/x:ref:refs/heads/main"),
        ("sub-of-main", "x:repo:octo-org/x:ref:refs/heads/main"),
        ("any-sub-of-main", "repo:octo-org-evil/x:ref:refs/heads/main"),
        ("any-sub-of-main", "repo:octo-org/x:ref:refs/heads/main2"),
    ],
)
def test_a_star_stays_within_its_part_of_a_sub(
    broker: RunningBroker, policy: str, sub: str
) -> None:
    assert_no_policy(broker, from_github(broker, policy, sub=sub))


def test_and_two_stars_do_not(broker: RunningBroker) -> None:
    sub = "repo:octo-org/x:environment:y:ref:refs/heads/main"

    for policy, text in (("sub-of-main", "repo:octo-org/x:ref:refs/heads/main"),
                         ("any-sub-of-main", sub)):  # fmt: skip
        assert_permitted_by(broker, from_github(broker, policy, sub=text), policy)


@pytest.mark.parametrize(
    "repository",
    [
        "acme-of-globs-evil/web",
        "acme-of-globs",
        "acme-of-globs/",
        "acme-of-globs/web/x",
        "evil/acme-of-globs/web",
        "acme-of-prefixes-evil/web",
        "acme-of-prefixes/api",
        "acme-of-prefixes/web/x",
    ],
)
def test_an_owner_is_the_whole_first_segment(broker: RunningBroker, repository: str) -> None:
    answer = from_github(broker, "666", repository=repository)

    if repository == "acme-of-globs/":
        # No repository is called so; the run between `/` and the end may be empty.
        assert_permitted_by(broker, answer, "own-repositories")
    else:
        assert_no_policy(broker, answer)


@pytest.mark.parametrize(
    ("policy", "repository"),
    [
        ("own-repositories", "acme-of-globs/web"),
        ("own-repositories", "Acme-Of-Globs/Web.js"),
        ("own-prefix", "acme-of-prefixes/web"),
        ("own-prefix", "acme-of-prefixes/web-hooks"),
    ],
)
def test_its_repositories_may_be_meant_together(
    broker: RunningBroker, policy: str, repository: str
) -> None:
    assert_permitted_by(broker, from_github(broker, "666", repository=repository), policy)


@pytest.mark.parametrize(
    "path", ["my-group/sub/deep/p", "my-group/sub/p", "my-group", "my-group-evil/p", "x/my-group/p"]
)
def test_a_star_does_not_descend_into_subgroups(broker: RunningBroker, path: str) -> None:
    assert_no_policy(broker, from_gitlab(broker, "666", project_path=path))


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ("own-projects", "my-group/p"),
        ("own-tree", "my-tree/p"),
        ("own-tree", "my-tree/sub/deep/p"),
        ("own-tree", "My-Tree/Sub/p"),
    ],
)
def test_two_stars_descend_where_that_is_meant(
    broker: RunningBroker, policy: str, path: str
) -> None:
    assert_permitted_by(broker, from_gitlab(broker, "666", project_path=path), policy)


@pytest.mark.parametrize(
    ("policy", "ref"),
    [
        ("prefix-of-main", "refs/heads/main/x"),
        ("prefix-of-main", "refs/heads/maine/x"),
        ("prefix-of-main", "refs/heads/x/main"),
        ("prefix-of-main", "refs/heads/gh-readonly-queue/main/pr-42-4b825dc"),
        ("prefix-of-main", "refs/tags/main"),
        ("one-segment", "refs/heads/feature/x"),
        ("one-segment", "refs/heads/a:b"),
        ("one-segment", "refs/heads/a@b"),
        ("one-segment", "refs/heads/gh-readonly-queue/main/pr-42-4b825dc"),
        ("one-segment", "refs/tags/v1"),
        ("one-segment", "refs/pull/42/merge"),
        ("one-segment", "xrefs/heads/main"),
        ("releases", "refs/heads/release/1/2"),
        ("releases", "refs/heads/release"),
        ("releases", "refs/heads/main2"),
        ("releases", "refs/heads/gh-readonly-queue/main/pr-42-4b825dc"),
        ("one-character", "refs/heads/v"),
        ("one-character", "refs/heads/v12"),
        ("one-character", "refs/heads/v/"),
        ("one-character", "refs/heads/v:"),
        ("one-character", "refs/heads/v@"),
        ("everything", ""),
    ],
)
def test_a_branch_beyond_the_part_is_not_meant(
    broker: RunningBroker, policy: str, ref: str
) -> None:
    assert_no_policy(broker, from_github(broker, policy, ref=ref))


@pytest.mark.parametrize(
    ("policy", "ref"),
    [
        ("prefix-of-main", MAIN),
        ("prefix-of-main", "refs/heads/main-hotfix"),
        ("one-segment", MAIN),
        ("one-segment", "refs/heads/main-hotfix"),
        ("releases", MAIN),
        ("releases", "refs/heads/release/1.2"),
        ("everything", "refs/heads/gh-readonly-queue/main/pr-42-4b825dc"),
        ("one-character", "refs/heads/v1"),
    ],
)
def test_what_a_glob_says_is_what_it_admits(broker: RunningBroker, policy: str, ref: str) -> None:
    assert_permitted_by(broker, from_github(broker, policy, ref=ref), policy)


@pytest.mark.parametrize(
    ("policy", "workflow"),
    [
        ("brackets", "app"),
        ("brackets", "bpp"),
        ("brackets", "[AB]PP"),
        ("brackets", "[ab]pp "),
        ("whole-value", "deploy"),
        ("whole-value", " Deploy"),
        ("whole-value", "xDeploy"),
        ("whole-value", "Deploy/x"),
    ],
)
def test_what_other_matchers_know_besides_means_itself(
    broker: RunningBroker, policy: str, workflow: str
) -> None:
    """No classes of characters, no trimming, no case of some systems' file names."""
    assert_no_policy(broker, from_github(broker, policy, workflow=workflow))


def test_and_nothing_but_itself(broker: RunningBroker) -> None:
    answer = from_github(broker, "brackets", workflow="[ab]pp")

    assert_permitted_by(broker, answer, "brackets")


@pytest.mark.parametrize(
    "workflow",
    [
        "octo-org/ci/.github/workflows/x.yml@refs/heads/main",
        "octo-org/ci/.github/workflows/x/y.yml@v1",
        "octo-org/ci/.github/workflows/x.yml@v1@v2",
        "octo-org/ci/.github/workflows/x.yml",
    ],
)
def test_a_star_behind_a_workflow_is_no_full_ref(broker: RunningBroker, workflow: str) -> None:
    assert_no_policy(broker, from_github(broker, "one-directory", job_workflow_ref=workflow))


def test_but_a_commit(broker: RunningBroker) -> None:
    workflow = "octo-org/ci/.github/workflows/x.yml@4b825dc642cb6eb9a060e54bf8d69288fbee4904"

    answer = from_github(broker, "one-directory", job_workflow_ref=workflow)

    assert_permitted_by(broker, answer, "one-directory")
