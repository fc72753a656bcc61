"""Row 52: a policy that any job on the platform satisfies, since all can ask for our audience."""

from pathlib import Path

import pytest

from broker.core.errors import ConfigurationError
from tests.special_brokers import special_broker

POLICY = """\
policies:
  anybody:
    service_account: deploy-web
    issuer: {issuer}
    match: {match}
"""


@pytest.mark.parametrize(
    ("issuer", "match"),
    [
        ("github", "{aud: https://broker.example}"),
        ("github", "{ref: refs/heads/main, event_name: push}"),
        ("github", "{workflow: Deploy to production, actor: octocat}"),
        ("github", "{environment: production}"),
        ("github", '{repository: {glob: "*/octo-repo"}}'),
        ("github", '{repository: {glob: "octo-org*/octo-repo"}}'),
        ("github", '{repository: {regex: "octo-org/.*"}}'),
        ("github", '{repository: [octo-org/octo-repo, {glob: "**"}]}'),
        ("github", "{repository_id: {present: true}}"),
        ("github", "{repository_owner: {not: evil}}"),
        ("github", '{sub: {glob: "repo:octo-org/octo-repo:*"}}'),
        ("github", "{sub: environment:production}"),
        (
            "github",
            '{job_workflow_ref: "octo-org/octo-repo/.github/workflows/x.yml@refs/heads/main"}',
        ),
        ("gitlab", "{ref: main, ref_protected: true}"),
        ("gitlab", "{user_login: octocat, environment: production}"),
        ("buildkite", "{pipeline_slug: deploy}"),
    ],
)
def test_a_policy_that_names_no_tenant_does_not_start(
    tmp_path: Path, issuer: str, match: str
) -> None:
    policy = POLICY.format(issuer=issuer, match=match)

    with pytest.raises(ConfigurationError) as caught, special_broker(tmp_path, policy):
        pass

    (problem,) = caught.value.problems
    assert problem.file.endswith("more.yaml")
    assert problem.line > 0
    assert "tenant" in problem.message or "repository" in problem.message
