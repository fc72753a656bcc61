"""Which refs a policy trusts (attacks rows 62, 74, 90, 92, 98, 99, 104)."""

import pytest

from tests.policy_files.lint.finding import (
    IDS,
    PROJECT,
    assert_found,
    codes_in,
    findings_in,
    policy,
)

PROTECTED = "ref_protected: true"


@pytest.mark.parametrize(
    "match",
    [
        f"{IDS}, ref: refs/heads/main",
        f"{IDS}, ref: [refs/heads/main, refs/heads/next]",
        f"{IDS}, ref_protected: true",
        f"{IDS}, sha: 2b3e6f0f0a1c4d5e8f901234567890abcdef0123",
        f"{IDS}, job_workflow_ref: acme/w/.github/workflows/d.yml@refs/heads/main",
        f'{IDS}, job_workflow_ref: {{glob: "acme/w/.github/workflows/*.yml@refs/heads/main"}}',
        f"{IDS}, job_workflow_ref: {{regex: 'acme/w/.github/workflows/d[.]yml@refs/heads/main'}}",
        f"{IDS}, workflow_ref: acme/web/.github/workflows/d.yml@refs/heads/main",
        f"{IDS}, sub: 'repo:acme@1234567/web@456789:ref:refs/heads/main'",
        f"{IDS}, event_name: schedule",
        f"{IDS}, event_name: [schedule, repository_dispatch]",
        f"{IDS}, ref: refs/heads/main, environment: production",
        f'{IDS}, ref: {{glob: "refs/heads/release/*"}}, environment: production',
        f"{IDS}, ref: refs/heads/main, environment_node_id: EN_kw",
    ],
)
def test_a_policy_that_names_its_code_is_sound(match: str) -> None:
    assert codes_in(policy(match)) == []


@pytest.mark.parametrize(
    "match",
    [
        IDS,
        f"{IDS}, ref_type: tag",
        f"{IDS}, ref_protected: [true, false]",
        f"{IDS}, ref_protected: false",
        f"{IDS}, event_name: [push, schedule]",
        f"{IDS}, event_name: pull_request",
        f"{IDS}, environment: {{present: true}}",
        f'{IDS}, environment: {{glob: "prod*"}}',
        f"{IDS}, sub: 'repo:acme@1234567/web@456789:pull_request'",
        f"{IDS}, runner_environment: github-hosted",
    ],
)
def test_any_branch_may_not_change_things(match: str) -> None:
    text = policy(match).replace("    match:", "    ►match:")

    (found,) = assert_found(text, "ref-not-pinned")

    assert "any branch that someone can push to matches" in found.message
    assert "`deploy:write`" in found.message
    assert "`ref: refs/heads/main`" in found.message
    assert found.message.endswith("(docs/lints/ref-not-pinned.md)")


def test_any_branch_may_read() -> None:
    assert codes_in(policy(IDS, service_account="read-web")) == []


def test_a_narrowing_to_reading_counts() -> None:
    assert codes_in(policy(IDS, grants="{deploy-api: [deploy:read]}")) == []


def test_a_service_without_scopes_counts_as_more_than_reading() -> None:
    (found,) = findings_in(policy(IDS, service_account="plain-web"))

    assert found.lint.code == "ref-not-pinned"
    assert "this grants `plain`" in found.message


def test_no_scope_of_a_service_with_scopes_changes_nothing() -> None:
    assert codes_in(policy(IDS, grants="{deploy-api: []}")) == []


def test_what_an_issuer_requires_counts() -> None:
    text = (
        "issuers:\n  corp: {preset: gitlab, issuer: 'https://g.example',"
        " require: {ref_protected: true}}\n"
    )
    named = text + policy(f"{PROJECT}, ref_path: refs/heads/main", "corp")

    assert codes_in(named) == []
    assert codes_in(text + policy(PROJECT, "corp")) == []


def test_what_every_granted_service_requires_counts() -> None:
    services = (
        "services:\n"
        "  one: {audience: 'https://1.example', require: {ref: refs/heads/main}}\n"
        "  two: {audience: 'https://2.example', require: {ref: refs/heads/main}}\n"
        "  three: {audience: 'https://3.example'}\n"
        "service_accounts:\n"
        "  all: {grants: {one: [], two: [], three: []}}\n"
    )

    narrowed = policy(IDS, service_account="all", grants="{one: [], two: []}")

    assert "ref-not-pinned" not in codes_in(services + narrowed)
    assert "ref-not-pinned" in codes_in(services + policy(IDS, service_account="all"))


@pytest.mark.parametrize(
    "ref",
    [
        '{glob: "refs/heads/*"}',
        '{glob: "refs/heads/**"}',
        '{glob: "refs/heads/*/*"}',
        '{glob: "refs/tags/*"}',
        '{glob: "refs/*/*"}',
        "{regex: 'refs/heads/.*'}",
    ],
)
def test_every_branch_is_any_branch(ref: str) -> None:
    (found,) = assert_found(policy(f"{IDS}, ref: ►{ref}"), "any-ref")

    assert found.message.startswith(
        "any branch that someone can push to matches; name the branch,"
        " `ref: refs/heads/main`, or add `environment: NAME`"
    )


@pytest.mark.parametrize(
    "ref", ['{glob: "**"}', "{regex: '.*'}", "{present: true}", "{not: refs/heads/x}"]
)
@pytest.mark.parametrize("account", ["deploy-web", "read-web"])
def test_a_ref_that_says_nothing_is_told_even_to_readers(ref: str, account: str) -> None:
    found = findings_in(policy(f"{IDS}, ref: {ref}", service_account=account))

    assert [each.lint.code for each in found] == ["any-ref"]
    assert "this condition says nothing" in found[0].message


def test_the_widest_item_of_a_list_counts() -> None:
    assert_found(
        policy(f'{IDS}, ref: [refs/heads/main, ►{{glob: "refs/heads/*"}}, refs/heads/x]'),
        "any-ref",
    )


@pytest.mark.parametrize("other", ["ref_protected: true", "sha: abc", "event_name: schedule"])
def test_every_branch_may_match_when_something_else_names_the_code(other: str) -> None:
    assert codes_in(policy(f'{IDS}, ref: {{glob: "refs/heads/*"}}, {other}')) == []


def test_every_branch_may_read() -> None:
    match = f'{IDS}, ref: {{glob: "refs/heads/*"}}'

    assert codes_in(policy(match, service_account="read-web")) == []


@pytest.mark.parametrize(
    ("ref", "example"),
    [
        ('{glob: "refs/heads/main*"}', "as `refs/heads/main-x`"),
        ('{glob: "refs/heads/release/*"}', "as `refs/heads/release/x`"),
        ('{glob: "refs/tags/v*"}', "as `refs/tags/v-x`"),
        ("{regex: 'refs/heads/release-[0-9]+'}", "can make a ref that matches; name"),
    ],
)
def test_whoever_may_push_can_fit_a_pattern(ref: str, example: str) -> None:
    (found,) = assert_found(policy(f"{IDS}, ref: ►{ref}"), "ref-pattern")

    assert example in found.message


def test_the_widest_pattern_of_a_list_is_shown() -> None:
    (found,) = assert_found(
        policy(f'{IDS}, ref: [refs/heads/main, ►{{glob: "refs/heads/r/*"}}]'), "ref-pattern"
    )

    assert "`refs/heads/r/x`" in found.message


@pytest.mark.parametrize("glob", ["*", "**"])
def test_any_short_ref_of_gitlab_is_any_branch(glob: str) -> None:
    match = f'{PROJECT}, ref: ►{{glob: "{glob}"}}'
    text = policy(match, "gitlab")

    assert codes_in(text.replace("►", ""))[-1] == "any-ref"


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ("ref: ►main", "a tag may be called `main`, too; write `ref_path: refs/heads/main`"),
        ("ref: [►main, ►next]", "a tag may be called"),
        ('ref: ►{glob: "release-*"}', "a tag may be called `release-*`"),
        ("ref: ►refs/heads/main", "write `ref_path: refs/heads/main`"),
    ],
)
def test_a_short_ref_of_gitlab_may_be_a_tag(match: str, words: str) -> None:
    marked = policy(f"{PROJECT}, {PROTECTED}, {match}", "gitlab")

    found = assert_found(marked, *["ref-form"] * marked.count("►"))

    assert words in found[0].message


@pytest.mark.parametrize(
    "match",
    [
        "ref: main, ref_type: branch",
        "ref: main, ref_path: refs/heads/main",
        "ref: {regex: 'main'}",
        'ref: {glob: "?ain"}',
    ],
)
def test_a_short_ref_of_gitlab_with_its_type_is_sound(match: str) -> None:
    assert codes_in(policy(f"{PROJECT}, {PROTECTED}, {match}", "gitlab")) == []


@pytest.mark.parametrize("ref", ["►main", '►{glob: "release/*"}', '►{glob: "*"}'])
def test_a_short_ref_matches_nothing_on_github(ref: str) -> None:
    found = findings_in(policy(f"{IDS}, ref: {ref}").replace("►", ""))

    assert "ref-form" in [each.lint.code for each in found]
    assert any("matches nothing; write `ref: refs/heads/" in each.message for each in found)


def test_an_issuer_without_preset_has_refs_of_its_own() -> None:
    issuer = "issuers:\n  ci: {issuer: 'https://ci.example', tenant: [organization_id]}\n"

    assert codes_in(issuer + policy("organization_id: 7", "ci")) == []
    assert codes_in(issuer + policy("organization_id: 7, ref: main", "ci")) == []
