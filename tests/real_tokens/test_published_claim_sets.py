"""Claim sets of real platforms, signed anew and sent through a running broker.

The registered claims are filled in: `aud` is the broker's, the times are shifted to its clock, the
rest is as it was published.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker.testing import FakeIssuer
from tests.attacks.refusals import assert_refused
from tests.real_tokens.published import claim_sets, claims_of, needs_published_tokens
from tests.running_broker import AUDIENCE, GITHUB, GITLAB, NOW, RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import SpecialBroker

pytestmark = needs_published_tokens

ENTERPRISE = "https://token.actions.githubusercontent.com/octocat-inc"

POLICIES = r"""
issuers:
  github-enterprise:
    preset: github
    issuer: https://token.actions.githubusercontent.com/octocat-inc
    audiences: [https://broker.example]
    jwks_file: enterprise.jwks.json
services:
  published:
    audience: https://published.example.com
    scopes: {jobs:read: See jobs, jobs:write: Start jobs}
service_accounts:
  ci: {grants: {published: [jobs:read, jobs:write]}, instances: [repository_id]}
  enterprise-ci: {grants: {published: [jobs:read, jobs:write]}}
  gitlab-ci: {grants: {published: [jobs:read, jobs:write]}, instances: [project_id]}
policies:
  known-repositories:
    service_account: ci
    issuer: github
    match: {repository_id: [456789, 74, 503119826, 620393838, 771245825, 1104004353, 1217768983]}
  immutable-repository:
    service_account: ci
    issuer: github
    match:
      sub: "repo:andreaso@285964/actions-tester@1339936803:\
        ref:refs/heads/test-output-oidc-claims-action"
  property:
    service_account: ci
    issuer: github
    match: {repository: my-org/my-repo}
  enterprise:
    service_account: enterprise-ci
    issuer: github-enterprise
    match: {sub: "repo:octocat-inc/private-server:ref:refs/heads/main"}
  known-projects:
    service_account: gitlab-ci
    issuer: gitlab
    match: {project_id: [20, 76366029, 34472568]}
"""

EVENTS_NAMED = """\
service_accounts:
  outsiders: {grants: {published: [jobs:read]}}
policies:
  pull-requests:
    service_account: outsiders
    issuer: github
    match: {repository_id: 456789, event_name: [pull_request, pull_request_target]}
  merge-requests:
    service_account: outsiders
    issuer: gitlab
    match: {project_id: 20, pipeline_source: merge_request_event}
"""


@dataclass(frozen=True)
class Permit:
    """The service token is for this subject, by this policy."""

    sub: str
    policy: str


CI, GITLAB_CI = "ci:repository_id:", "gitlab-ci:project_id:"
EXPECTED: dict[str, Permit | str] = {
    "github/c01_push_main_classic": Permit(f"{CI}456789", "known-repositories"),
    "github/c02_push_main_immutable": Permit(f"{CI}456789", "known-repositories"),
    "github/c07_pull_request_same_repo": "no_policy_matched",
    "github/c09_pull_request_target_from_fork": "no_policy_matched",
    "github/c16_environment_prod": Permit(f"{CI}456789", "known-repositories"),
    "github/c18_reusable_sha_pinned_other_repo": Permit(f"{CI}456789", "known-repositories"),
    "github/g05_dispatch_check_run_id": Permit(f"{CI}1104004353", "known-repositories"),
    "github/g06_push_immutable_sub_2026_08": Permit(f"{CI}1339936803", "immutable-repository"),
    "github/g08_push_2022_short_set": Permit(f"{CI}503119826", "known-repositories"),
    "github/g09_push_2023_rubygems": Permit(f"{CI}620393838", "known-repositories"),
    "github/g11_push_2024_openpubkey": Permit(f"{CI}771245825", "known-repositories"),
    "github/g12_dispatch_REAL_SIGNED_2026_04": Permit(f"{CI}1217768983", "known-repositories"),
    "github/g14_docs_env_prod_reusable_other_repo": Permit(f"{CI}74", "known-repositories"),
    # The examples of the documentation leave out what started the workflow.
    "github/g15_docs_enterprise_issuer": "no_policy_matched",
    "github/g16_docs_custom_property": "no_policy_matched",
    "gitlab/l01_push_main_self_hosted": Permit(f"{GITLAB_CI}76366029", "known-projects"),
    # CI_JOB_JWT_V2, whose audience is the GitLab instance itself.
    "gitlab/l03_legacy_v2_2022": "audience_mismatch",
    "gitlab/m01_push_main_protected": Permit(f"{GITLAB_CI}20", "known-projects"),
    "gitlab/m03_tag_protected": Permit(f"{GITLAB_CI}20", "known-projects"),
    "gitlab/m06_mr_same_project": "no_policy_matched",
    "gitlab/m07_mr_from_fork_runs_in_target": "no_policy_matched",
    "gitlab/m09_environment_production_protected": Permit(f"{GITLAB_CI}20", "known-projects"),
}
PERMITTED = [name for name, outcome in EXPECTED.items() if isinstance(outcome, Permit)]
REFUSED = [name for name, outcome in EXPECTED.items() if isinstance(outcome, str)]
LEGACY = "gitlab/l03_legacy_v2_2022"

# Member of `workload` ← claim.
WORKLOAD: dict[str, dict[str, str]] = {
    "github": {
        name: name
        for name in (
            "repository", "repository_id", "repository_owner", "repository_owner_id", "ref",
            "ref_type", "sha", "environment", "event_name", "run_id", "run_number", "run_attempt",
            "job_workflow_ref", "runner_environment", "actor_id",
        )
    },
    "gitlab": {
        "repository": "project_path",
        "repository_id": "project_id",
        "run_id": "pipeline_id",
    }
    | {
        name: name
        for name in (
            "ref", "ref_type", "sha", "environment", "pipeline_source", "pipeline_id", "job_id",
            "runner_environment", "namespace_id", "user_id",
        )
    },
}  # fmt: skip


class PublishedTokens:
    """A broker, and the issuers that sign published claims anew."""

    def __init__(self, folder: Path, more_policies: str = "") -> None:
        self.broker: RunningBroker = SpecialBroker(folder)
        enterprise = FakeIssuer(ENTERPRISE, clock=self.broker.clock)
        self._issuers = {
            GITHUB: self.broker.github,
            GITLAB: self.broker.gitlab,
            ENTERPRISE: enterprise,
        }
        (folder / "policies").mkdir()
        (folder / "policies" / "published.yaml").write_text(POLICIES)
        if more_policies:
            (folder / "policies" / "more.yaml").write_text(more_policies)
        (folder / "policies" / "enterprise.jwks.json").write_text(json.dumps(enterprise.jwks()))

    def token(self, name: str) -> str:
        """Sign a published claim set by its issuer, as if it were issued now."""
        claims = claims_of(name)
        issuer = self._issuers[claims.get("iss", GITHUB)]
        audience = claims["aud"] if name == LEGACY else AUDIENCE
        return issuer.token(shifted(claims) | {"aud": audience}, audience=audience)

    def exchange(self, name: str, **parameters: Any) -> Any:
        """Exchange the token of a published claim set."""
        return self.broker.exchange(self.token(name), audience="published", **parameters)


def shifted(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Move the times of a token to the broker's clock, keeping their distances."""
    offset = int(NOW) - claims.get("iat", int(NOW))
    times = {name: claims[name] + offset for name in ("iat", "nbf", "exp") if name in claims}
    return {**claims, **times}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublishedTokens]:
    tokens = PublishedTokens(tmp_path_factory.mktemp("broker"))
    with tokens.broker.serving():
        yield tokens


@pytest.fixture(scope="module")
def events_named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublishedTokens]:
    """The same under policies that name the events of outsiders."""
    tokens = PublishedTokens(tmp_path_factory.mktemp("broker"), EVENTS_NAMED)
    with tokens.broker.serving():
        yield tokens


def test_every_published_claim_set_has_its_outcome_here() -> None:
    assert claim_sets() == EXPECTED.keys()


@pytest.mark.parametrize("name", PERMITTED)
def test_a_job_that_a_policy_names_gets_a_service_token(
    published: PublishedTokens, name: str
) -> None:
    expected = EXPECTED[name]
    assert isinstance(expected, Permit)
    claims = claims_of(name)
    platform = name.partition("/")[0]

    answer = published.exchange(name)

    token = verified(published.broker, answer, audience="https://published.example.com")
    assert token["sub"] == expected.sub
    assert token["client_id"] == expected.sub.partition(":")[0]
    assert token["policy"] == expected.policy
    assert token["scope"] == "jobs:read jobs:write"
    assert token["act"] == {"iss": claims["iss"], "sub": claims["sub"]}
    assert token["workload"] == {"platform": platform} | {
        member: claims[claim] for member, claim in WORKLOAD[platform].items() if claims.get(claim)
    }


@pytest.mark.parametrize("name", REFUSED)
def test_any_other_is_refused(published: PublishedTokens, name: str) -> None:
    reason = EXPECTED[name]
    assert isinstance(reason, str)

    event = assert_refused(published.broker, published.exchange(name), reason)

    assert event["subject"] == claims_of(name)["sub"]


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("github/c07_pull_request_same_repo", "pull-requests"),
        ("github/c09_pull_request_target_from_fork", "pull-requests"),
        ("gitlab/m06_mr_same_project", "merge-requests"),
    ],
)
def test_a_policy_that_names_the_event_lets_an_outsiders_job_in(
    events_named: PublishedTokens, name: str, policy: str
) -> None:
    answer = events_named.exchange(name)

    token = verified(events_named.broker, answer, audience="https://published.example.com")
    assert (token["sub"], token["policy"]) == ("outsiders", policy)
    assert token["scope"] == "jobs:read"
    assert token["act"]["sub"] == claims_of(name)["sub"]


def test_but_not_that_of_a_fork_in_the_targets_pipeline(events_named: PublishedTokens) -> None:
    answer = events_named.exchange("gitlab/m07_mr_from_fork_runs_in_target")

    assert_refused(events_named.broker, answer, "no_policy_matched")


def test_both_forms_of_sub_name_the_same_repository(published: PublishedTokens) -> None:
    classic, immutable = (
        claims_of(f"github/{name}") for name in ("c01_push_main_classic", "c02_push_main_immutable")
    )

    assert classic["sub"] == "repo:octo-org/octo-repo:ref:refs/heads/main"
    assert immutable["sub"] == "repo:octo-org@123456/octo-repo@456789:ref:refs/heads/main"
    first, second = (
        EXPECTED[f"github/{name}"] for name in ("c01_push_main_classic", "c02_push_main_immutable")
    )
    assert first == second


def test_the_enterprise_issuer_is_not_the_shared_one(published: PublishedTokens) -> None:
    claims = shifted(claims_of("github/g15_docs_enterprise_issuer")) | {"aud": AUDIENCE}

    token = published.broker.github.token(claims, audience=AUDIENCE)

    assert_refused(published.broker, published.broker.exchange(token), "key_not_found")


def test_nor_does_the_enterprise_sign_for_the_shared_one(published: PublishedTokens) -> None:
    claims = shifted(claims_of("github/c01_push_main_classic")) | {"aud": AUDIENCE}

    token = published._issuers[ENTERPRISE].token(claims, audience=AUDIENCE)

    assert_refused(published.broker, published.broker.exchange(token), "key_not_found")
