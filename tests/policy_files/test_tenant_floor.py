"""The tenant floor as a load error: rows 52, 61, 94, 162 and 164."""

import pytest

from tests.policy_files.loading import assert_refused, load_beside_base, policy


@pytest.mark.parametrize(
    ("match", "issuer"),
    [
        ("{repository_id: 456789}", "github"),
        ("{repository_owner_id: [1, '2']}", "github"),
        ("{repository: acme/web}", "github"),
        ("{repository_owner: acme}", "github"),
        ('{repository: {glob: "acme/*"}}', "github"),
        ('{repository: [acme/web, {glob: "acme/infra-**"}]}', "github"),
        ("{sub: 'repo:acme/web:ref:refs/heads/main'}", "github"),
        ("{sub: 'repo:acme@1/web@2:environment:prod'}", "github"),
        ("{sub: ['repo:acme/web', 'repository_owner_id:1:x:y']}", "github"),
        ("{project_id: 20}", "gitlab"),
        ("{namespace_id: 72}", "gitlab"),
        ("{project_path: acme/web}", "gitlab"),
        ('{namespace_path: {glob: "acme/*"}}', "gitlab"),
        ("{sub: 'project_path:acme/web:ref_type:branch:ref:main'}", "gitlab"),
        ("{organization_id: abc}", "buildkite"),
        ("{anything: {present: true}}", "single"),
    ],
)
def test_a_literal_tenant_satisfies_the_floor(match: str, issuer: str) -> None:
    assert "p" in load_beside_base(policy(match, issuer)).policy_set.policies


@pytest.mark.parametrize(
    ("marked", "issuer"),
    [
        # rows 52, 94: whoever asks for our audience has these
        ("{ref: refs/heads/main}", "github"),
        ("{workflow: Deploy, actor: octocat}", "github"),
        ("{environment: production}", "github"),
        ("{job_workflow_ref: acme/ci/.github/workflows/x.yml@refs/heads/main}", "github"),
        ("{/repository_id/x: 1, /nested/repository_id: 1}", "github"),
        ("{project_path: acme/web}", "github"),
        ("{repository: acme/web}", "gitlab"),
        ("{user_login: root}", "gitlab"),
        ("{job_project_id: 20}", "gitlab"),
        ("{pipeline_slug: web}", "buildkite"),
        ("{repository_id: 456789}", "buildkite"),
    ],
)
def test_a_policy_without_tenant_is_refused_at_its_match(marked: str, issuer: str) -> None:
    text = policy(marked, issuer).replace("    match:", "    ►match:")

    assert_refused(text, "any tenant of issuer")


@pytest.mark.parametrize(
    ("marked", "issuer", "word"),
    [
        # row 61
        ('{repository: ►{glob: "acme*"}}', "github", "acme-evil"),
        ('{repository: ►{glob: "*/web"}}', "github", "acme/*"),
        ('{repository: ►{glob: "**"}}', "github", "first segment"),
        ('{repository: ►{glob: "/web"}}', "github", "first segment"),
        ('{repository: ►[acme/web, {glob: "a?me/web"}]}', "github", "first segment"),
        ('{project_path: ►{glob: "acme*/web"}}', "gitlab", "first segment"),
        ("{repository: ►{regex: acme/web}}", "github", "a literal or a list of literals"),
        ("{repository: ►{not: evil/web}}", "github", "a literal or a list of literals"),
        ("{repository: ►{present: true}}", "github", "a literal or a list of literals"),
        ('{repository_id: ►{glob: "4*"}}', "github", "a literal or a list of literals"),
        ('{repository_owner: ►{glob: "acme/*"}}', "github", "a literal or a list of literals"),
        ("{repository_owner_id: ►[1, {regex: '2'}]}", "github", "a literal or a list"),
        ("{project_id: ►{not: 1}}", "gitlab", "a literal or a list of literals"),
        ('{organization_id: ►{glob: "a*"}}', "buildkite", "a literal or a list of literals"),
        # row 162
        ("{sub: ►'environment:production'}", "github", "begins with `repo:OWNER/REPO`"),
        ("{sub: ►'repo:'}", "github", "begins with `repo:OWNER/REPO`"),
        ("{sub: ►'repo:acme'}", "github", "begins with `repo:OWNER/REPO`"),
        ("{sub: ►'repo:acme@1/web@'}", "github", "better, pin `repository_id`"),
        ("{sub: ►'repository_owner:'}", "github", "begins with"),
        ("{sub: ►'job_workflow_ref:acme/x.yml@main:repo:acme/web'}", "github", "begins with"),
        ('{sub: ►{glob: "repo:acme/web:*"}}', "github", "exact value"),
        ("{sub: ►['repo:acme/web', 'environment:x']}", "github", "exact value"),
        ("{sub: ►'ref_type:branch:ref:main'}", "gitlab", "`project_path:GROUP/PROJECT`"),
        ("{sub: ►'namespace_path:acme'}", "gitlab", "`project_path:GROUP/PROJECT`"),
        ("{sub: ►'organization:acme'}", "buildkite", "names no tenant"),
    ],
)
def test_a_tenant_that_is_not_literal_is_refused_at_its_condition(
    marked: str, issuer: str, word: str
) -> None:
    assert_refused(policy(marked, issuer), word)


def test_the_require_of_the_issuer_may_satisfy_the_floor() -> None:
    corp = "{preset: gitlab, issuer: 'https://g.example', require: {namespace_id: 42}}"

    loaded = load_beside_base(f"issuers: {{corp: {corp}}}\n" + policy("{ref: main}", "corp"))

    assert "p" in loaded.policy_set.policies


def test_a_deny_policy_needs_no_tenant() -> None:
    loaded = load_beside_base(
        "policies: {p: {effect: deny, issuer: github, match: {event_name: pull_request}}}"
    )

    assert "p" in loaded.policy_set.policies


def test_an_observed_policy_stands_under_the_floor_too() -> None:
    text = policy("{ref: refs/heads/main}", mode="observe").replace("    match:", "    ►match:")

    assert_refused(text, "any tenant")
