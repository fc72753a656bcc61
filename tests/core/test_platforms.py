"""What the presets know, and which hosts must use them (attacks rows 111, 156, 165)."""

import re

import pytest

from broker.core.platforms import (
    GITHUB,
    GITLAB,
    PRESETS,
    Platform,
    Workload,
    preset_of_host,
    recognise,
)
from broker.core.vocabulary import REGISTERED_CLAIMS
from tests.core.builders import github_claims, gitlab_claims, other_claims


@pytest.mark.parametrize(
    "url",
    [
        "https://token.actions.githubusercontent.com",
        "https://token.actions.githubusercontent.com/octocorp",
        "https://TOKEN.actions.githubusercontent.com",
        "https://token.actions.githubusercontent.com:443/",
        "https://token.actions.githubusercontent.com./",
        "https://token.actions.octocorp.ghe.com",
        "https://token.actions.octocorp.ghe.com/octocorp",
        "https://ghe.com",
        "http://user@octocorp.ghe.com",
    ],
)
def test_a_host_of_github_needs_the_github_preset(url: str) -> None:
    assert preset_of_host(url) == "github"


@pytest.mark.parametrize(
    "url",
    [
        "https://gitlab.com",
        "https://GitLab.com/",
        "https://gitlab.com:8443",
        "https://eu.gitlab.com",
    ],
)
def test_a_host_of_gitlab_com_needs_the_gitlab_preset(url: str) -> None:
    assert preset_of_host(url) == "gitlab"


@pytest.mark.parametrize(
    "url",
    [
        "https://gitlab.example.com",
        "https://mygitlab.com",
        "https://gitlab.com.evil.example",
        "https://gitlab.com@evil.example",
        "https://evil.example/gitlab.com",
        "https://notghe.com",
        "https://token.actions.githubusercontent.com.evil.example",
        "https://github.example.com/_services/token",
        "https://agent.buildkite.com",
        "https://[broken",
        "gitlab.com",
        "",
    ],
)
def test_any_other_host_needs_no_preset(url: str) -> None:
    assert preset_of_host(url) is None


def test_presets_are_found_by_their_names() -> None:
    assert PRESETS == {"github": GITHUB, "gitlab": GITLAB}


@pytest.mark.parametrize("platform", PRESETS.values(), ids=PRESETS)
def test_every_preset_is_coherent(platform: Platform) -> None:
    assert preset_of_host(platform.issuer) == platform.name
    assert platform.tenant_claims == platform.tenant_ids + platform.tenant_names
    assert platform.immutable_ids >= frozenset(platform.tenant_ids)
    assert platform.tenant_paths <= frozenset(platform.tenant_names) <= platform.folded
    assert platform.workload_ids <= platform.workload.keys()
    assert platform.event_claim in platform.workload
    assert platform.audit_claims >= {*REGISTERED_CLAIMS, platform.event_claim}
    assert platform.audit_claims >= frozenset(platform.tenant_claims)
    assert frozenset(platform.workload.values()) <= platform.audit_claims


@pytest.mark.parametrize("platform", PRESETS.values(), ids=PRESETS)
def test_nothing_copied_to_tokens_looks_like_a_registered_claim(platform: Platform) -> None:
    members = {name.casefold() for name in platform.workload}

    assert members.isdisjoint({*REGISTERED_CLAIMS, "scope", "client_id", "platform", "act"})


@pytest.mark.parametrize("platform", PRESETS.values(), ids=PRESETS)
def test_no_personal_name_or_address_is_copied_or_recorded(platform: Platform) -> None:
    kept = platform.audit_claims | set(platform.workload.values())

    assert not [name for name in kept if re.findall("email|login|identities|groups", name)]


@pytest.mark.parametrize(
    "event",
    ["pull_request", "pull_request_target", "issues", "issue_comment", "fork", "watch",
     "discussion", "workflow_run", "pull_request_review", "an_event_of_next_year"],
)  # fmt: skip
def test_events_that_outsiders_cause_are_not_trusted_on_github(event: str) -> None:
    assert event not in GITHUB.trusted_events


def test_the_trusted_events_are_those_of_the_contract() -> None:
    assert GITHUB.trusted_events == {
        "push", "workflow_dispatch", "schedule", "release", "create", "delete", "deployment",
        "merge_group", "repository_dispatch",
    }  # fmt: skip
    assert GITLAB.trusted_events == {"push", "web", "schedule", "api", "trigger"}


def test_the_folding_claims_are_those_of_the_contract() -> None:
    assert GITHUB.folded == {"repository", "repository_owner", "environment"}
    assert GITLAB.folded == {
        "project_path", "namespace_path", "job_project_path", "job_namespace_path",
    }  # fmt: skip


def test_a_github_job_is_described_by_the_allow_list() -> None:
    workload = recognise(github_claims(environment="prod", actor="octocat", scope="admin"), GITHUB)

    assert workload.platform == "github"
    assert workload.full == {
        "repository": "acme/web",
        "repository_id": "456789",
        "repository_owner": "acme",
        "repository_owner_id": "123456",
        "ref": "refs/heads/main",
        "ref_type": "branch",
        "sha": "2b3e6f0f0a1c4d5e8f901234567890abcdef0123",
        "environment": "prod",
        "event_name": "push",
        "run_id": "9000000001",
        "run_attempt": "1",
        "job_workflow_ref": "acme/web/.github/workflows/deploy.yml@refs/heads/main",
        "runner_environment": "github-hosted",
        "actor_id": "583231",
    }
    assert workload.ids == {
        "repository_id": "456789",
        "repository_owner_id": "123456",
        "sha": "2b3e6f0f0a1c4d5e8f901234567890abcdef0123",
        "run_id": "9000000001",
        "run_attempt": "1",
        "actor_id": "583231",
    }


def test_a_gitlab_job_is_described_in_the_same_words() -> None:
    workload = recognise(gitlab_claims(user_login="someone"), GITLAB)

    assert workload.platform == "gitlab"
    assert workload.full["repository"] == "acme/platform/web"
    assert workload.full["repository_id"] == "4242"
    assert workload.full["run_id"] == workload.full["pipeline_id"] == "8000000001"
    assert "user_login" not in workload.full
    assert workload.ids.items() < workload.full.items()


def test_claims_without_a_text_are_not_copied() -> None:
    claims = github_claims(ref="", environment=None, sha={"a": 1}, run_id=["1"], actor_id=7)

    full = recognise(claims, GITHUB).full

    assert full.keys().isdisjoint({"ref", "environment", "sha", "run_id"})
    assert full["actor_id"] == "7"


def test_nothing_is_copied_from_an_issuer_without_preset() -> None:
    assert recognise(other_claims(repository="acme/web"), None) == Workload("other", {})
