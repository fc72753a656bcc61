"""Whose jobs a policy means (attacks rows 69, 73, 87, 88, 94-98, 105-107, 109)."""

import pytest

from tests.policy_files.lint.finding import (
    IDS,
    PROJECT,
    assert_found,
    codes_in,
    findings_in,
    policy,
)

MAIN = "ref: refs/heads/main"
PROTECTED = "ref_path: refs/heads/main, ref_protected: true"
WORKFLOW = "job_workflow_ref: acme/w/.github/workflows/d.yml@refs/heads/main"


@pytest.mark.parametrize(
    ("match", "id_claim"),
    [
        (f"►repository: acme/web, {MAIN}", "repository_id"),
        (f"►repository: [acme/web, acme/api], {MAIN}", "repository_id"),
        (f"►repository: acme/web, repository_owner: acme, {MAIN}", "repository_id"),
        (f"►repository_owner: acme, {WORKFLOW}", "repository_owner_id"),
        (f"repository_id: {{present: true}}, ►repository: acme/web, {MAIN}", "repository_id"),
    ],
)
def test_a_name_can_be_taken_over(match: str, id_claim: str) -> None:
    (found,) = assert_found(policy(match), "names-without-ids")

    assert "whoever takes over this name" in found.message
    assert f"add `{id_claim}: ID`" in found.message


def test_a_sub_by_name_can_be_taken_over() -> None:
    found = findings_in(policy("sub: 'repo:acme/web:ref:refs/heads/main'"))

    assert [each.lint.code for each in found] == ["names-without-ids", "sub-form"]


@pytest.mark.parametrize(
    ("match", "id_claim"),
    [
        (f"►project_path: acme/shop, {PROTECTED}", "project_id"),
        (f"►sub: 'project_path:acme/shop:ref_type:branch:ref:main', {PROTECTED}", "project_id"),
    ],
)
def test_a_path_of_gitlab_can_be_taken_over(match: str, id_claim: str) -> None:
    (found,) = assert_found(policy(match, "gitlab"), "names-without-ids")

    assert f"add `{id_claim}: ID`" in found.message


def test_names_that_an_issuer_requires_are_told_at_the_policy() -> None:
    issuer = (
        "issuers:\n  corp: {preset: gitlab, issuer: 'https://g.example',"
        " require: {project_path: acme/shop}}\n"
    )

    assert_found(
        issuer + policy(PROTECTED, "corp").replace("    match:", "    ►match:"),
        "names-without-ids",
    )


@pytest.mark.parametrize(
    "match",
    [
        f"repository: acme/web, repository_owner_id: 1234567, {MAIN}",
        f"repository: acme/web, repository_id: 456789, {MAIN}",
        f"repository: acme/web, environment_node_id: EN_kw, {MAIN}",
        f"sub: 'repo:acme@1234567/web@456789:environment:production', {MAIN}",
        f"sub: ['repository_id:456789:ref:refs/heads/main'], {MAIN}",
        f"sub: 'repo:acme@1234567/web@456789', {MAIN}",
    ],
)
def test_one_id_is_enough(match: str) -> None:
    assert codes_in(policy(match)) == []


def test_an_id_that_the_issuer_requires_is_enough() -> None:
    issuer = (
        "issuers:\n  corp: {preset: gitlab, issuer: 'https://g.example',"
        " require: {namespace_id: 42}}\n"
    )

    assert codes_in(issuer + policy(f"project_path: acme/shop, {PROTECTED}", "corp")) == []


@pytest.mark.parametrize(
    "match",
    [
        f"►repository_owner_id: 1234567, {MAIN}",
        f'►repository: {{glob: "acme/*"}}, repository_owner_id: 1234567, {MAIN}',
        f'►repository: {{glob: "acme/web-*"}}, repository_owner_id: 1234567, {MAIN}',
        f"►sub: 'repository_owner_id:1234567', {MAIN}",
        f'►repository_owner_id: 1, {MAIN}, workflow_ref: {{glob: "*/*/.github/d.yml@refs/x"}}',
        f"►repository_owner_id: 1, {MAIN}, repo_property_tier: {{present: true}}",
    ],
)
def test_every_repository_of_an_organization_matches(match: str) -> None:
    (found,) = [
        each
        for each in assert_found(policy(match), "org-wide")
        if "every repository of the organization matches" in each.message
    ]

    assert "add `repository_id: ID` or `job_workflow_ref: …@refs/heads/main`" in found.message


def test_every_project_of_a_group_matches() -> None:
    (found,) = assert_found(policy(f"►namespace_id: 42, {PROTECTED}", "gitlab"), "org-wide")

    assert "every project of the group matches" in found.message
    assert "add `project_id: ID` (" in found.message


@pytest.mark.parametrize(
    "match",
    [
        f"repository_owner_id: 1234567, {WORKFLOW}",
        'repository_owner_id: 1234567, job_workflow_ref: {glob: "acme/w/**@refs/heads/main"}',
        f"repository_owner_id: 1234567, {MAIN}, repo_property_tier: production",
        f"repository_owner_id: 1234567, repository: acme/web, {MAIN}",
        f"sub: 'repository_id:456789:x', repository_owner_id: 1234567, {MAIN}",
    ],
)
def test_an_organization_is_confined_by_a_workflow_or_a_property(match: str) -> None:
    assert codes_in(policy(match)) == []


def test_an_account_with_one_identity_per_repository_is_for_all_of_them() -> None:
    account = (
        "service_accounts:\n"
        "  each: {grants: {deploy-api: [deploy:write]}, instances: [repository_id]}\n"
    )

    assert (
        codes_in(account + policy(f"repository_owner_id: 7, {MAIN}", service_account="each")) == []
    )


@pytest.mark.parametrize(
    "workflow",
    [
        'job_workflow_ref: ►{glob: "acme/w/.github/workflows/d.yml@*"}',
        'job_workflow_ref: ►{glob: "acme/w/.github/workflows/d.yml@refs/heads/**"}',
        'job_workflow_ref: ►{glob: "acme/w/**"}',
        'workflow_ref: ►{glob: "acme/web/.github/workflows/d.yml@refs/tags/v?"}',
        "job_workflow_ref: ►{regex: 'acme/w/d.yml@.*'}",
        "job_workflow_ref: ►{regex: 'acme/w/d.yml'}",
        "job_workflow_ref: ►{present: true}",
        'job_workflow_ref: [acme/w/d.yml@refs/heads/main, ►{glob: "acme/w/x.yml@*"}]',
    ],
)
def test_a_workflow_counts_as_it_is_on_any_branch(workflow: str) -> None:
    (found,) = assert_found(policy(f"{IDS}, {MAIN}, {workflow}"), "workflow-without-ref")

    assert "as it is on any branch that someone can push to" in found.message


@pytest.mark.parametrize("file", ["acme/w/.github/workflows/d.yml", "acme/w/d.yml@"])
def test_a_workflow_without_its_ref_matches_nothing(file: str) -> None:
    (found,) = assert_found(
        policy(f"{IDS}, {MAIN}, job_workflow_ref: ►'{file}'"), "workflow-without-ref"
    )

    assert "this matches nothing" in found.message


def test_a_configuration_of_gitlab_has_a_ref_too() -> None:
    marked = f'{PROJECT}, {PROTECTED}, ci_config_ref_uri: ►{{glob: "gitlab.com/acme/ci//x.yml@**"}}'

    assert_found(policy(marked, "gitlab"), "workflow-without-ref")


GHES = "issuers:\n  ghes: {issuer: 'https://ghes.example/_services/token', single_tenant: true}\n"


def test_a_workflow_alone_trusts_whoever_calls_it() -> None:
    (found,) = assert_found(GHES + policy(f"►{WORKFLOW}", "ghes"), "workflow-alone")

    assert "add `repository_owner_id: ID`" in found.message


@pytest.mark.parametrize("tenant", ["repository: acme/web", "repository_owner_id: 7", "sub: x"])
def test_a_workflow_beside_a_tenant_is_not_alone(tenant: str) -> None:
    assert codes_in(GHES + policy(f"{WORKFLOW}, {tenant}", "ghes")) == []


@pytest.mark.parametrize(
    "sub",
    [
        "►'repo:acme/web:ref:refs/heads/main'",
        "►repo:acme/web",
        '►{glob: "repo:acme/web:ref:*"}',
        "►{regex: '^repo:acme/web:ref:.*'}",
        "►{regex: 'repo:acme/web:.*'}",
        "['repository_id:456789', ►'repo:acme/web:ref:refs/heads/main']",
        "[►'repo:acme/web:x', 'repo:acme@1/web@2:y']",
    ],
)
def test_a_sub_by_name_ends_with_the_immutable_form(sub: str) -> None:
    (found,) = assert_found(policy(f"{IDS}, {MAIN}, sub: {sub}"), "sub-form")

    assert "GitHub writes ids into `sub`" in found.message


@pytest.mark.parametrize(
    "sub",
    [
        "'repo:acme@1234567/web@456789:ref:refs/heads/main'",
        "['repo:acme/web:x', 'repo:acme@1234567/web@456789:x']",
        "['repo:acme/web', 'repo:acme@1234567/web@456789']",
        "'repository_id:456789:ref:refs/heads/main'",
        "{present: true}",
        "{not: 'repo:acme/web:pull_request'}",
        '{glob: "repo:*@1234567/**"}',
    ],
)
def test_other_forms_of_sub_stay(sub: str) -> None:
    assert codes_in(policy(f"{IDS}, {MAIN}, sub: {sub}")) == []


def test_a_sub_of_gitlab_has_no_such_form() -> None:
    match = f"{PROJECT}, {PROTECTED}, sub: 'project_path:acme/shop:ref_type:branch:ref:main'"

    assert codes_in(policy(match, "gitlab")) == []


@pytest.mark.parametrize(
    ("issuer", "match", "id_claim"),
    [
        ("github", f"{IDS}, {MAIN}, ►actor: octocat", "actor_id"),
        ("gitlab", f"{PROJECT}, {PROTECTED}, ►user_login: octocat", "user_id"),
        ("gitlab", f"{PROJECT}, {PROTECTED}, ►user_email: o@acme.example", "user_id"),
    ],
)
def test_a_person_is_no_name(issuer: str, match: str, id_claim: str) -> None:
    (found,) = assert_found(policy(match, issuer), "actor-by-name")

    assert f"write `{id_claim}: ID`" in found.message


def test_a_person_is_no_name_in_a_deny_policy_either() -> None:
    assert_found(
        "policies: {d: {effect: deny, issuer: github, match: {►actor: octocat}}}", "actor-by-name"
    )


@pytest.mark.parametrize("claim", ["workflow: Deploy", "head_ref: release"])
def test_authors_choose_what_some_claims_say(claim: str) -> None:
    assert_found(policy(f"{IDS}, {MAIN}, ►{claim}"), "author-chosen")
    assert "author-chosen" not in codes_in(policy(f"{PROJECT}, {PROTECTED}, {claim}", "gitlab"))


def test_a_fork_is_told_apart_by_where_the_job_runs() -> None:
    match = f"{PROJECT}, ►pipeline_source: [merge_request_event]"

    (found,) = assert_found(
        policy(match, "gitlab", service_account="read-web"), "fork-merge-request"
    )

    assert "add `job_project_id: ID`" in found.message
    assert codes_in(policy(f"{PROJECT}, {PROTECTED}", "gitlab")) == []
