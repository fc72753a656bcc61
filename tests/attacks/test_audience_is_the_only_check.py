"""Row 52: a policy that any job on the platform satisfies, since all can ask for our audience."""

from pathlib import Path

import pytest

from broker.core.errors import ConfigurationError
from tests.special_brokers import special_broker

WORKFLOW = "octo-org/octo-repo/.github/workflows/x.yml@refs/heads/main"
TENANTLESS = [
    ("github", "{aud: https://broker.example}"),
    ("github", "{iss: https://token.actions.githubusercontent.com, event_name: push}"),
    ("github", "{ref: refs/heads/main, event_name: push}"),
    ("github", "{workflow: Deploy to production, actor: octocat}"),
    ("github", "{environment: production}"),
    ("github", '{repository: {glob: "*/octo-repo"}}'),
    ("github", '{repository: {glob: "octo-org*/octo-repo"}}'),
    ("github", '{repository: {regex: "octo-org/.*"}}'),
    ("github", '{repository: [octo-org/octo-repo, {glob: "**"}]}'),
    ("github", "{repository: {not: evil/octo-repo}}"),
    ("github", "{repository_id: {present: true}}"),
    ("github", "{repository_owner: {not: evil}}"),
    ("github", '{sub: {glob: "repo:octo-org/octo-repo:*"}}'),
    ("github", "{sub: environment:production}"),
    ("github", f'{{job_workflow_ref: "{WORKFLOW}"}}'),
    ("gitlab", "{ref: main, ref_protected: true}"),
    ("gitlab", "{user_login: octocat, environment: production}"),
    ("buildkite", "{pipeline_slug: deploy}"),
    ("buildkite", "{sub: organization:octo}"),
]
POLICY = "  anybody-{number}: {{service_account: deploy-web, issuer: {issuer}, match: {match}}}\n"


def test_no_policy_that_names_no_tenant_starts(tmp_path: Path) -> None:
    policies = "policies:\n" + "".join(
        POLICY.format(number=number, issuer=issuer, match=match)
        for number, (issuer, match) in enumerate(TENANTLESS)
    )

    with pytest.raises(ConfigurationError) as caught, special_broker(tmp_path, policies):
        pass

    assert {problem.line: Path(problem.file).name for problem in caught.value.problems} == {
        number + 2: "more.yaml" for number in range(len(TENANTLESS))
    }


def test_the_refusal_says_what_to_name(tmp_path: Path) -> None:
    policies = "policies:\n" + POLICY.format(
        number=1, issuer="github", match="{ref: refs/heads/main}"
    )

    with (
        pytest.raises(ConfigurationError, match="repository_id"),
        special_broker(tmp_path, policies),
    ):
        pass
