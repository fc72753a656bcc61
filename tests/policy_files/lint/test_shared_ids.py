"""Ids that are another job's elsewhere."""

import pytest

from tests.policy_files.lint.finding import assert_found, codes_in

CODE = "ids-of-several-issuers"
TEXT = """\
issuers:
  corp: {{preset: gitlab, issuer: "https://gitlab.acme.example"}}
services:
  s: {{audience: a{fields}}}
service_accounts:
  ci: {{grants: {{s: []}}{instances}}}
  other: {{grants: {{s: []}}{instances}}}
policies:
  hosted:
    service_account: ci
    issuer: gitlab
    match: {{namespace_id: 42, {hosted}}}
  own:
    service_account: {account}
    issuer: {issuer}
    match: {{{own}}}
    {more}
"""
OPEN = "namespace_id: 7"
GITHUB = "repository_owner_id: 1234567, ref: refs/heads/main"


def text(
    *,
    fields: str = "",
    instances: str = "",
    hosted: str = "ref_protected: true",
    account: str = "ci",
    issuer: str = "corp",
    own: str = OPEN,
    more: str = "",
) -> str:
    return TEXT.format(
        fields=fields and f", {fields}",
        instances=instances and f", instances: {instances}",
        hosted=hosted,
        account=account,
        issuer=issuer,
        own=own,
        more=more,
    )


def found(written: str) -> bool:
    return CODE in codes_in(written)


def test_one_account_for_the_projects_of_two_platforms() -> None:
    written = text(instances="►[project_id]", own=f"{OPEN}, ref_protected: true")
    written = written.replace("  other: {grants: {s: []}, instances: ►[project_id]}\n", "")

    [finding] = assert_found(written, CODE)

    assert "`corp`" in finding.message
    assert "`gitlab`" in finding.message
    assert "`ci:project_id:VALUE`" in finding.message


@pytest.mark.parametrize(
    "template",
    [
        'claims: {groups: "{workload.repository_id}"}',
        'claims: {groups: [ci, "p:{workload.project_id}"]}',
        'claims: {access: [{name: "{workload.repository_id}"}]}',
        'session_tags: {project: "{workload.repository_id}"}, profile: aws',
        'claims: {groups: "{service_account}:{workload.project_id}"}',
    ],
)
def test_a_template_of_which_jobs_of_two_platforms_make_the_same(template: str) -> None:
    assert found(text(fields=template))


def test_a_repository_of_one_preset_and_a_project_of_another_have_one_name() -> None:
    template = 'claims: {groups: "{workload.repository_id}"}'

    assert found(text(fields=template, issuer="github", own=GITHUB))


@pytest.mark.parametrize(
    "template",
    ["{service_account}:{workload.project_id}", "{sub}/{workload.project_id}"],
)
def test_accounts_of_their_own_in_the_template_tell_them_apart(template: str) -> None:
    fields = f'claims: {{groups: "{template}"}}'

    assert not found(text(fields=fields, account="other"))
    assert found(text(fields=fields, account="ci"))
    assert found(text(fields='claims: {groups: "{workload.project_id}"}', account="other"))


@pytest.mark.parametrize(
    "changes",
    [
        {"account": "other"},
        {"issuer": "gitlab"},
        {"hosted": "project_id: 20", "own": f"{OPEN}, project_id: 20"},
        {"more": "mode: observe"},
        {"more": "expires: 2026-01-01"},
    ],
    ids=repr,
)
def test_what_no_two_can_have_or_what_was_written_out_is_no_finding(
    changes: dict[str, str],
) -> None:
    assert found(text(instances="[project_id]"))
    assert not found(text(instances="[project_id]", **changes))


def test_one_value_that_differs_is_enough() -> None:
    instances = "[project_id, environment]"
    hosted = "environment: [prod, Staging]"

    for environment, alike in (("test", False), ("staging", True)):
        own = f"{OPEN}, environment: {environment}"
        assert found(text(instances=instances, hosted=hosted, own=own)) is alike


def test_values_that_one_policy_alone_writes_out_are_no_protection() -> None:
    assert found(text(instances="[project_id]", hosted="project_id: 20"))
