"""What environments and protected refs guard (attacks rows 90, 92, 104)."""

import pytest

from tests.policy_files.lint.finding import (
    IDS,
    PROJECT,
    assert_found,
    codes_in,
    policy,
)

PROTECTED = "ref_protected: true"


@pytest.mark.parametrize("other", ["environment: production", "ref_protected: true"])
def test_a_pattern_is_sound_beside_what_protects_it(other: str) -> None:
    assert codes_in(policy(f'{IDS}, ref: {{glob: "refs/heads/release/*"}}, {other}')) == []


@pytest.mark.parametrize(
    "match",
    [
        f"{IDS}, ►environment: production",
        f"{IDS}, ►environment_node_id: EN_kw",
        f"{IDS}, ►sub: 'repo:acme@1234567/web@456789:environment:production'",
        f'{IDS}, ►environment: production, ref: {{glob: "refs/heads/*"}}',
    ],
)
def test_an_environment_alone_is_as_good_as_its_rules(match: str) -> None:
    (found,) = assert_found(policy(match), "environment-without-ref")

    assert "add `ref: refs/heads/main`" in found.message


def test_an_environment_that_the_issuer_requires_is_told_at_the_policy() -> None:
    issuer = (
        "issuers:\n  ghes: {preset: github, issuer: 'https://ghes.example/_services/token',"
        " require: {environment: production}}\n"
    )

    assert_found(
        issuer + policy(IDS, "ghes").replace("    match:", "    ►match:"),
        "environment-without-ref",
    )


@pytest.mark.parametrize("other", ["ref_protected: true", "environment_protected: true"])
def test_a_protected_gitlab_environment_protects_a_pattern(other: str) -> None:
    found = codes_in(
        policy(
            f'{PROJECT}, ref_path: {{glob: "refs/heads/release/*"}}, environment: production,'
            f" {other}",
            "gitlab",
        )
    )

    assert "ref-pattern" not in found


def test_an_unprotected_gitlab_environment_protects_nothing() -> None:
    text = policy(f"{PROJECT}, ►environment: production", "gitlab")

    assert_found(
        text.replace("    match:", "    ►►match:"),
        "ref-not-pinned",
        "ref-not-protected",
        "environment-not-protected",
    )


def test_a_protected_gitlab_environment_is_sound() -> None:
    match = f"{PROJECT}, {PROTECTED}, environment: production, environment_protected: true"

    assert codes_in(policy(match, "gitlab")) == []


def test_a_gitlab_ref_has_to_be_protected() -> None:
    (found,) = assert_found(
        policy(f"{PROJECT}, ►ref_path: refs/heads/main", "gitlab"), "ref-not-protected"
    )

    assert "add `ref_protected: true`" in found.message


def test_merge_requests_have_no_protected_refs() -> None:
    match = f"{PROJECT}, job_project_id: 4711, pipeline_source: merge_request_event"

    assert codes_in(policy(match, "gitlab", service_account="read-web")) == []
    assert codes_in(
        policy(
            f"{PROJECT}, job_project_id: 4711, pipeline_source: [push, merge_request_event]",
            "gitlab",
            service_account="read-web",
        )
    ) == ["ref-not-protected"]
