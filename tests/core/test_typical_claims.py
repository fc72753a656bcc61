"""The typical claims of an event: what tests of policies start from."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.platforms import PRESETS
from broker.core.typical_claims import TYPICAL_EVENTS, typical_claims

EVERY_EVENT = [(preset, event) for preset, events in TYPICAL_EVENTS.items() for event in events]


def github(event: str, **overrides: object) -> dict[str, Any]:
    return typical_claims("github", event, overrides)


def gitlab(source: str, **overrides: object) -> dict[str, Any]:
    return typical_claims("gitlab", source, overrides)


def test_every_preset_has_typical_claims() -> None:
    assert TYPICAL_EVENTS.keys() == PRESETS.keys()


@pytest.mark.parametrize("preset", PRESETS)
def test_every_trusted_event_has_typical_claims(preset: str) -> None:
    assert PRESETS[preset].trusted_events <= TYPICAL_EVENTS[preset].keys()


@pytest.mark.parametrize(("preset", "event"), EVERY_EVENT)
def test_the_claims_say_the_event_that_they_are_of(preset: str, event: str) -> None:
    claims = typical_claims(preset, event, {})

    assert claims[PRESETS[preset].event_claim] == event


@pytest.mark.parametrize(("preset", "event"), EVERY_EVENT)
def test_the_claims_are_enough_for_a_ci_token_of_the_platform(preset: str, event: str) -> None:
    claims = typical_claims(preset, event, {})

    assert {*PRESETS[preset].required, *PRESETS[preset].tenant_claims, "sub"} <= claims.keys()
    assert claims.keys().isdisjoint({"iss", "aud", "exp", "nbf", "iat", "jti"})


@pytest.mark.parametrize(
    ("event", "ref", "sub"),
    [
        ("push", "refs/heads/main", "repo:acme/web:ref:refs/heads/main"),
        ("pull_request", "refs/pull/42/merge", "repo:acme/web:pull_request"),
        ("pull_request_review", "refs/pull/42/merge", "repo:acme/web:pull_request"),
        ("pull_request_target", "refs/heads/main", "repo:acme/web:ref:refs/heads/main"),
        ("workflow_run", "refs/heads/main", "repo:acme/web:ref:refs/heads/main"),
        ("schedule", "refs/heads/main", "repo:acme/web:ref:refs/heads/main"),
        ("release", "refs/tags/v1.0.0", "repo:acme/web:ref:refs/tags/v1.0.0"),
        ("create", "refs/heads/feature/x", "repo:acme/web:ref:refs/heads/feature/x"),
    ],
)
def test_a_github_event_runs_on_its_ref_and_sub_follows(event: str, ref: str, sub: str) -> None:
    claims = github(event)

    assert (claims["ref"], claims["sub"]) == (ref, sub)


def test_a_merge_queue_runs_on_a_branch_of_its_own_that_nobody_protects() -> None:
    claims = github("merge_group")

    assert claims["ref"].startswith("refs/heads/gh-readonly-queue/main/pr-42-")
    assert claims["ref_protected"] == "false"


@pytest.mark.parametrize("source", ["merge_request_event", "external_pull_request_event"])
def test_a_merge_request_runs_on_the_branch_of_its_author(source: str) -> None:
    claims = gitlab(source)

    assert claims["ref_path"] == "refs/heads/feature-x"
    assert claims["ref_protected"] == "false"
    assert claims["sub"] == "project_path:acme/web:ref_type:branch:ref:feature-x"


def test_what_is_overridden_carries_over_to_what_is_derived() -> None:
    claims = github("push", repository="acme/infrastructure", environment="production")

    assert claims["repository_owner"] == "acme"
    assert claims["sub"] == "repo:acme/infrastructure:environment:production"
    assert claims["workflow_ref"].startswith("acme/infrastructure/.github/workflows/")
    assert claims["repository_id"] == "456789"


def test_what_is_derived_can_be_overridden_too() -> None:
    claims = github("push", repository="acme/x", sub="custom", repository_owner="other")

    assert (claims["sub"], claims["repository_owner"]) == ("custom", "other")


def test_an_override_of_null_takes_a_claim_away_and_derives_from_the_default() -> None:
    claims = gitlab("push", project_path=None, ref=None)

    assert claims.keys().isdisjoint({"project_path", "ref"})
    assert claims["sub"] == "project_path:acme/web:ref_type:branch:ref:main"


def test_the_event_that_the_overrides_name_wins() -> None:
    claims = github("push", event_name="pull_request")

    assert claims["ref"] == "refs/pull/42/merge"
    assert claims["sub"] == "repo:acme/web:pull_request"


def test_an_event_that_nobody_knows_runs_on_the_default_branch() -> None:
    assert github("solar_eclipse")["ref"] == "refs/heads/main"
    assert gitlab("solar_eclipse")["ref"] == "main"


@given(
    preset=st.sampled_from(sorted(PRESETS)),
    overrides=st.dictionaries(
        st.sampled_from([
            "repository", "repository_id", "ref", "ref_type", "environment", "event_name", "sha",
            "project_path", "namespace_id", "pipeline_source", "workflow_ref", "anything",
        ]),
        st.none() | st.text() | st.integers() | st.booleans() | st.lists(st.text()) | st.floats(),
    ),
    immutable=st.booleans(),
)  # fmt: skip
def test_overrides_of_any_kind_are_kept_and_null_is_left_out(
    preset: str, overrides: dict[str, Any], immutable: bool
) -> None:
    claims = typical_claims(preset, "push", overrides, immutable_sub=immutable)

    for name, value in overrides.items():
        assert (name in claims) == (value is not None)
        if value is not None:
            assert claims[name] is value
    assert list(claims) == sorted(claims)


@pytest.mark.parametrize(
    ("environment", "tier"),
    [
        ("production", "production"),
        ("eu-live", "production"),
        ("review/x", "development"),
        ("QA", "testing"),
        ("pre-release", "staging"),
        ("sandbox", "other"),
    ],
)
def test_a_gitlab_environment_has_the_tier_that_its_name_suggests(
    environment: str, tier: str
) -> None:
    claims = gitlab("push", environment=environment)

    assert claims["deployment_tier"] == tier
    assert claims["environment_protected"] == "false"
