import json
from pathlib import Path
from typing import Any

import pytest

from broker.testing import github_claims, gitlab_claims
from broker.testing.platform_tokens import ISSUER_CLAIMS

FIXTURES = Path(__file__).parents[2].parent / "shared" / "fixtures"
SHA_1, SHA_2 = "1" * 40, "2" * 40


def real_claims(name: str) -> dict[str, Any]:
    file = FIXTURES / name
    if not file.exists():
        pytest.skip("the sample claims of real platforms are not here")
    claims: dict[str, Any] = json.loads(file.read_text())["claims"]
    return {name: value for name, value in claims.items() if name not in ISSUER_CLAIMS}


def types(claims: dict[str, Any]) -> dict[str, type]:
    return {name: type(value) for name, value in claims.items()}


# --- against tokens of the real platforms ---------------------------------------------------------


@pytest.mark.parametrize(
    ("fixture", "overrides"),
    [
        ("github/g05_dispatch_check_run_id.json", {}),
        ("github/g06_push_immutable_sub_2026_08.json", {"immutable_sub": True}),
        ("github/g12_dispatch_REAL_SIGNED_2026_04.json", {}),
        ("github/c01_push_main_classic.json", {}),
        ("github/c07_pull_request_same_repo.json", {"event_name": "pull_request"}),
        ("github/c16_environment_prod.json", {"environment": "prod"}),
    ],
)
def test_a_github_token_has_the_claims_and_types_of_a_real_one(
    fixture: str, overrides: dict[str, Any]
) -> None:
    assert types(real_claims(fixture)) == types(github_claims(**overrides))


@pytest.mark.parametrize(
    ("fixture", "overrides"),
    [
        ("gitlab/m01_push_main_protected.json", {}),
        ("gitlab/m03_tag_protected.json", {"ref": "v1.2.3", "ref_type": "tag"}),
        ("gitlab/m09_environment_production_protected.json", {"environment": "production"}),
    ],
)
def test_a_gitlab_token_has_the_claims_and_types_of_a_real_one(
    fixture: str, overrides: dict[str, Any]
) -> None:
    assert types(real_claims(fixture)) == types(gitlab_claims(**overrides))


def test_an_observed_gitlab_token_lacks_only_the_newer_claims() -> None:
    real = types(real_claims("gitlab/l01_push_main_self_hosted.json"))
    composed = types(gitlab_claims())

    assert real.items() <= composed.items()
    assert {name for name in composed if name not in real} == {
        "job_namespace_id",
        "job_namespace_path",
        "job_project_id",
        "job_project_path",
        "job_source",
    }


@pytest.mark.parametrize(
    "fixture",
    [
        "github/c01_push_main_classic.json",
        "github/c02_push_main_immutable.json",
        "github/c07_pull_request_same_repo.json",
        "github/c09_pull_request_target_from_fork.json",
        "github/c16_environment_prod.json",
        "github/g05_dispatch_check_run_id.json",
        "github/g06_push_immutable_sub_2026_08.json",
        "github/g12_dispatch_REAL_SIGNED_2026_04.json",
    ],
)
def test_what_github_derives_is_derived_alike(fixture: str) -> None:
    real = real_claims(fixture)
    facts = ("repository", "repository_id", "repository_owner_id", "event_name", "ref", "sha")
    given = {name: real[name] for name in (*facts, "environment", "workflow_ref") if name in real}
    derived = ("sub", "repository_owner", "ref_type", "base_ref", "job_workflow_ref")

    composed = github_claims(immutable_sub="@" in real["sub"], **given)

    assert {name: real[name] for name in derived} == {name: composed[name] for name in derived}


@pytest.mark.parametrize(
    "fixture",
    [
        "gitlab/m01_push_main_protected.json",
        "gitlab/m03_tag_protected.json",
        "gitlab/m06_mr_same_project.json",
        "gitlab/l01_push_main_self_hosted.json",
    ],
)
def test_what_gitlab_derives_is_derived_alike(fixture: str) -> None:
    real = real_claims(fixture)
    facts = ("project_path", "project_id", "namespace_id", "pipeline_source", "ref", "ref_type")
    derived = ("sub", "namespace_path", "ref_path")

    composed = gitlab_claims(**{name: real[name] for name in facts})

    assert {name: real[name] for name in derived} == {name: composed[name] for name in derived}


# --- GitHub ---------------------------------------------------------------------------------------


def test_a_github_token_is_by_default_a_push_to_main_of_acme_web() -> None:
    claims = github_claims()

    assert claims["sub"] == "repo:acme/web:ref:refs/heads/main"
    assert claims["repository"] == "acme/web"
    assert claims["repository_id"] == "456789"
    assert claims["repository_owner"] == "acme"
    assert claims["repository_owner_id"] == "1234567"
    assert claims["ref_protected"] == "true"
    assert claims["workflow_ref"] == "acme/web/.github/workflows/deploy.yml@refs/heads/main"
    assert "environment" not in claims


def test_another_repository_carries_over_to_owner_workflow_and_sub_but_not_to_the_ids() -> None:
    claims = github_claims(repository="evil/web")

    assert claims["repository_owner"] == "evil"
    assert claims["workflow_ref"] == "evil/web/.github/workflows/deploy.yml@refs/heads/main"
    assert claims["job_workflow_ref"] == claims["workflow_ref"]
    assert claims["sub"] == "repo:evil/web:ref:refs/heads/main"
    assert claims["repository_id"] == "456789"


def test_a_tag_has_ref_type_tag_and_is_not_protected_unasked() -> None:
    claims = github_claims(ref="refs/tags/v1")

    assert claims["ref_type"] == "tag"
    assert claims["ref_protected"] == "false"
    assert claims["sub"] == "repo:acme/web:ref:refs/tags/v1"
    assert claims["workflow_ref"].endswith("@refs/tags/v1")


def test_an_environment_hides_the_event_in_sub_and_escapes_only_colons() -> None:
    plain = github_claims(environment="Production:V1", event_name="pull_request")
    escaped = github_claims(environment="Production%3AV1", event_name="pull_request")

    assert plain["sub"] == escaped["sub"] == "repo:acme/web:environment:Production%3AV1"
    assert plain["environment"] == "Production:V1"
    assert plain["environment_node_id"] != escaped["environment_node_id"]


def test_one_environment_keeps_its_node_id_in_any_case() -> None:
    ids = {github_claims(environment=name)["environment_node_id"] for name in ("prod", "PROD")}

    assert len(ids) == 1
    assert len(ids.pop()) == len("EN_kwDOVBcNc88AAAAFiytEwA")


@pytest.mark.parametrize("event", ["pull_request", "pull_request_review"])
def test_a_pull_request_runs_on_the_merge_ref_and_says_so_in_sub(event: str) -> None:
    claims = github_claims(event_name=event)

    assert claims["ref"] == "refs/pull/42/merge"
    assert claims["ref_type"] == "branch"
    assert claims["ref_protected"] == "false"
    assert claims["sub"] == "repo:acme/web:pull_request"
    assert claims["workflow_ref"].endswith("@refs/pull/42/merge")


def test_pull_request_target_looks_trusted_but_for_its_event() -> None:
    claims = github_claims(event_name="pull_request_target")

    assert claims["sub"] == github_claims()["sub"]
    assert claims["head_ref"] == "feature/x"
    assert claims["base_ref"] == "main"


def test_a_pull_request_keeps_a_ref_that_is_given() -> None:
    assert github_claims(event_name="pull_request", ref="refs/pull/7/merge")["ref"] == (
        "refs/pull/7/merge"
    )


def test_the_immutable_sub_names_owner_and_repository_by_id() -> None:
    claims = github_claims(immutable_sub=True, environment="prod")

    assert claims["sub"] == "repo:acme@1234567/web@456789:environment:prod"
    assert claims["repository"] == "acme/web"


def test_a_reusable_workflow_changes_the_job_workflow_alone() -> None:
    called = f"acme/automation/.github/workflows/deploy.yml@{SHA_1}"
    claims = github_claims(job_workflow_ref=called)

    assert claims["job_workflow_ref"] == called
    assert claims["workflow_ref"].startswith("acme/web/")


def test_the_deployment_of_a_commit_has_no_ref_and_a_workflow_at_the_commit() -> None:
    claims = github_claims(event_name="deployment", ref="", sha=SHA_2)

    assert claims["ref_type"] == "branch"
    assert claims["workflow_ref"].endswith(f"@{SHA_2}")
    assert claims["workflow_sha"] == SHA_2


def test_an_explicit_sub_stays_as_it_is() -> None:
    assert github_claims(sub="repository_owner:acme")["sub"] == "repository_owner:acme"


# --- GitLab ---------------------------------------------------------------------------------------


def test_a_gitlab_token_is_by_default_a_push_to_main_of_acme_web() -> None:
    claims = gitlab_claims()

    assert claims["sub"] == "project_path:acme/web:ref_type:branch:ref:main"
    assert claims["project_id"] == "20"
    assert claims["namespace_id"] == "72"
    assert claims["namespace_path"] == "acme"
    assert claims["ref_path"] == "refs/heads/main"
    assert claims["ref_protected"] == "true"
    assert claims["runner_id"] == 1


def test_a_project_in_a_subgroup_has_the_whole_namespace_path() -> None:
    claims = gitlab_claims(project_path="acme/tools/cli")

    assert claims["namespace_path"] == "acme/tools"
    assert claims["job_project_path"] == "acme/tools/cli"
    assert (
        claims["ci_config_ref_uri"] == "gitlab.com/acme/tools/cli//.gitlab-ci.yml@refs/heads/main"
    )


def test_a_merge_request_has_no_mark_in_sub_but_in_pipeline_source() -> None:
    claims = gitlab_claims(pipeline_source="merge_request_event")

    assert claims["sub"] == "project_path:acme/web:ref_type:branch:ref:feature-x"
    assert claims["ref_protected"] == "false"
    assert claims["job_source"] == "merge_request_event"


def test_a_tag_named_main_is_not_the_protected_branch() -> None:
    claims = gitlab_claims(ref="main", ref_type="tag")

    assert claims["ref_protected"] == "false"
    assert claims["ref_path"] == "refs/tags/main"


@pytest.mark.parametrize(
    ("environment", "tier"),
    [
        ("production", "production"),
        ("review/x", "development"),
        ("qa", "testing"),
        ("eu-1", "other"),
    ],
)
def test_an_environment_has_a_tier_by_its_name(environment: str, tier: str) -> None:
    claims = gitlab_claims(environment=environment)

    assert claims["deployment_tier"] == tier
    assert claims["environment_protected"] == "false"


# --- both -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("compose", [github_claims, gitlab_claims])
def test_none_removes_a_claim_and_nothing_else(compose: Any) -> None:
    assert compose() | {"sha": None} == compose(sha=None) | {"sha": None}
    assert "sha" not in compose(sha=None)


@pytest.mark.parametrize("compose", [github_claims, gitlab_claims])
def test_none_is_kept_for_what_the_issuer_would_fill_in(compose: Any) -> None:
    assert compose(jti=None) == compose() | {"jti": None}


@pytest.mark.parametrize("compose", [github_claims, gitlab_claims])
def test_a_claim_unknown_to_the_platform_is_added(compose: Any) -> None:
    assert compose(repo_property_team="a,b")["repo_property_team"] == "a,b"


@pytest.mark.parametrize("compose", [github_claims, gitlab_claims])
@pytest.mark.parametrize("value", [7, True, ["a"], {"a": 1}, ""])
def test_a_claim_may_have_a_type_that_it_never_has(compose: Any, value: object) -> None:
    facts = {"repository", "repository_owner_id", "ref", "environment", "event_name"}
    facts |= {"project_path", "ref_type", "pipeline_source"}

    for name in facts:
        assert compose(**{name: value})[name] == value
