"""Rows 62, 69, 73, 74, 88, 92, 95, 97, 99, 104, 106: what the language allows, and lint warns of.

Each pair is a policy that serves a job which was hardly meant, with the word of `policies check`
for it, and the policy that was meant, which refuses the same job and is without that finding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from broker.policy_files.check import check
from tests.attacks.configuration import load_policies
from tests.attacks.own_tenants import assert_no_policy, assert_permitted_by
from tests.running_broker import NOW, RunningBroker
from tests.special_brokers import special_broker

WORKFLOW = "octo-org/workflows/.github/workflows/deploy.yml"
MAIN = "ref: refs/heads/main"
PATH = "ref_path: refs/heads/main"


@dataclass(frozen=True)
class Pair:
    """A loose and a tight policy, the lint that tells them apart, and the job that does."""

    row: str
    code: str
    loose: str
    tight: str
    job: dict[str, Any]
    issuer: str = "github"


PAIRS = [
    Pair(
        "62-prefix", "ref-pattern",
        'repository_id: 1062, ref: {glob: "refs/heads/main*"}', f"repository_id: 1062, {MAIN}",
        {"repository_id": "1062", "ref": "refs/heads/main-hotfix"},
    ),
    Pair(
        "62-any", "any-ref",
        'repository_id: 2062, ref: {glob: "refs/heads/*"}', f"repository_id: 2062, {MAIN}",
        {"repository_id": "2062", "ref": "refs/heads/mallory"},
    ),
    Pair(
        "62-unpinned", "ref-not-pinned",
        "repository_id: 3062", f"repository_id: 3062, {MAIN}",
        {"repository_id": "3062", "ref": "refs/heads/mallory"},
    ),
    Pair(
        "73-sub", "sub-form",
        "sub: 'repo:octo-lab/web-73:ref:refs/heads/main'",
        f"repository_id: 1073, repository: octo-lab/web-73, {MAIN}",
        {"repository": "octo-lab/web-73", "repository_id": "666", "repository_owner_id": "667"},
    ),
    Pair(
        "74-list", "any-ref",
        'repository_id: 1074, ref: [refs/heads/main, {glob: "refs/heads/**"}]',
        f"repository_id: 1074, {MAIN}",
        {"repository_id": "1074", "ref": "refs/heads/x/mallory"},
    ),
    Pair(
        "88-owner", "org-wide",
        f"repository_owner_id: 1088, {MAIN}",
        f"repository_owner_id: 1088, repository_id: 2088, {MAIN}",
        {"repository_owner_id": "1088", "repository_id": "666"},
    ),
    Pair(
        "92-environment", "environment-without-ref",
        "repository_id: 1092, environment: production",
        f"repository_id: 1092, environment: production, {MAIN}",
        {"repository_id": "1092", "environment": "production", "ref": "refs/heads/mallory"},
    ),
    Pair(
        "92-gitlab", "environment-not-protected",
        f"project_id: 1092, {PATH}, ref_protected: true, environment: production",
        f"project_id: 1092, {PATH}, ref_protected: true, environment: production,"
        " environment_protected: true",
        {"project_id": "1092", "environment": "production"},
        "gitlab",
    ),
    Pair(
        "95-actor", "actor-by-name",
        f"repository_id: 1095, actor: octocat, {MAIN}",
        f"repository_id: 1095, actor_id: 583231, {MAIN}",
        {"repository_id": "1095", "actor": "octocat", "actor_id": "666"},
    ),
    Pair(
        "97-moving", "workflow-without-ref",
        f'repository_id: 1097, {MAIN}, job_workflow_ref: {{glob: "{WORKFLOW}@**"}}',
        f"repository_id: 1097, {MAIN}, job_workflow_ref: {WORKFLOW}@refs/heads/main",
        {"repository_id": "1097", "job_workflow_ref": f"{WORKFLOW}@refs/heads/mallory"},
    ),
    Pair(
        "99-short", "ref-form",
        "project_id: 1099, ref: main, ref_protected: true",
        f"project_id: 1099, {PATH}, ref_protected: true",
        {"project_id": "1099", "ref": "main", "ref_type": "tag", "ref_protected": "true"},
        "gitlab",
    ),
    Pair(
        "104-unprotected", "ref-not-protected",
        f"project_id: 1104, {PATH}", f"project_id: 1104, {PATH}, ref_protected: true",
        {"project_id": "1104", "ref": "main", "ref_protected": "false"},
        "gitlab",
    ),
    Pair(
        "106-fork", "fork-merge-request",
        "project_id: 1106, pipeline_source: merge_request_event",
        "project_id: 1106, job_project_id: 1106, pipeline_source: merge_request_event",
        {"project_id": "1106", "pipeline_source": "merge_request_event", "job_project_id": "666"},
        "gitlab",
    ),
]  # fmt: skip
by_row = pytest.mark.parametrize("pair", PAIRS, ids=[pair.row for pair in PAIRS])


def policy(pair: Pair, kind: str) -> str:
    """Write one policy of a pair; the tight ones have an account of their own."""
    account = "deploy-web" if kind == "loose" else "tight"
    match = getattr(pair, kind)
    return (
        f"  {kind}-{pair.row}: {{service_account: {account}, issuer: {pair.issuer},"
        f" match: {{{match}}}}}\n"
    )


TIGHT = "service_accounts: {tight: {grants: {deploy-api: [deploy:read, deploy:write]}}}\n"
BASE = """\
issuers: {github: {preset: github}, gitlab: {preset: gitlab}}
services:
  deploy-api:
    audience: https://deploy.example.com
    scopes: {deploy:read: See deployments, deploy:write: Start a deployment}
service_accounts:
  deploy-web: {grants: {deploy-api: [deploy:read, deploy:write]}}
  tight: {grants: {deploy-api: [deploy:read, deploy:write]}}
policies:
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    entries = [policy(pair, kind) for pair in PAIRS for kind in ("loose", "tight")]
    policies = TIGHT + "policies:\n" + "".join(entries)
    with special_broker(tmp_path_factory.mktemp("broker"), policies) as broker:
        yield broker


def codes_in(entry: str) -> set[str]:
    """Name what `policies check` finds in one policy."""
    report = check([load_policies(BASE + entry)], NOW)
    line = BASE.count("\n") + 1
    return {each.lint.code for each in report.findings if each.line == line}


@by_row
def test_the_loose_policy_serves_the_job_and_is_warned_of(
    broker: RunningBroker, pair: Pair
) -> None:
    mint = broker.github_token if pair.issuer == "github" else broker.gitlab_token

    answer = broker.exchange(mint(**pair.job), client_id="deploy-web")

    assert_permitted_by(broker, answer, f"loose-{pair.row}")
    assert pair.code in codes_in(policy(pair, "loose"))


@by_row
def test_the_tight_one_does_neither(broker: RunningBroker, pair: Pair) -> None:
    mint = broker.github_token if pair.issuer == "github" else broker.gitlab_token

    answer = broker.exchange(mint(**pair.job), client_id="tight")

    assert_no_policy(broker, answer)
    assert pair.code not in codes_in(policy(pair, "tight"))
