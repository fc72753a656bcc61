"""Names of claims that no token of the platform has."""

import pytest

from broker.core.typical_claims import TYPICAL_EVENTS, typical_claims
from tests.policy_files.lint.finding import MAIN, PROJECT, assert_found, codes_in, policy


def denying(match: str, issuer: str = "github") -> str:
    return f"policies: {{d: {{effect: deny, issuer: {issuer}, match: {{{match}}}}}}}\n"


@pytest.mark.parametrize(
    ("marked", "meant"),
    [
        (denying("►event_nam: push"), "`event_name`"),
        (denying("►Event_name: push"), "`event_name`"),
        (denying("►pipline_source: push", "gitlab"), "`pipeline_source`"),
        (policy(f"{MAIN}, ►enviroment: production"), "`environment`"),
    ],
)
def test_a_claim_that_is_almost_one_of_the_platform_is_told_with_it(
    marked: str, meant: str
) -> None:
    (found,) = assert_found(marked, "claim-unknown")

    assert f"did you mean {meant}?" in found.message


def test_a_claim_of_another_platform_is_told() -> None:
    (found,) = assert_found(denying("►event_name: push", "gitlab"), "claim-unknown")

    assert "gitlab writes no claim `event_name`: it is one of github" in found.message


@pytest.mark.parametrize(
    ("marked", "consequence"),
    [
        (denying("►event_nam: push"), "the policy denies nobody"),
        (denying("►event_nam: {not: push}"), "the condition holds for everybody"),
        (policy(f"{MAIN}, ►event_nam: push"), "the policy permits nobody"),
    ],
)
def test_the_finding_says_what_comes_of_it(marked: str, consequence: str) -> None:
    (found,) = assert_found(marked, "claim-unknown")

    assert consequence in found.message


def test_the_require_of_an_issuer_is_looked_at() -> None:
    text = (
        "issuers:\n  corp:\n    {preset: gitlab, issuer: 'https://g.example', require:"
        " {namespace_id: 42, ►namespace_pth: acme}}\n"
        "policies: {d: {effect: deny, issuer: corp, match: {ref: x}}}\n"
    )

    assert_found(text, "claim-unknown")


@pytest.mark.parametrize(
    "text",
    [
        denying("user_login: x", "gitlab"),
        denying("groups_direct: x", "gitlab"),
        denying("repository_property_tier: x"),
        denying("/nested/event_nam: x"),
        policy(f"{PROJECT}, ref_path: refs/heads/main, ref_protected: true", "gitlab"),
    ],
)
def test_other_names_are_taken_as_they_stand(text: str) -> None:
    assert "claim-unknown" not in codes_in(text)


@pytest.mark.parametrize("platform", ["github", "gitlab"])
def test_no_claim_of_a_typical_token_is_found(platform: str) -> None:
    claims = {
        name: value
        for event in TYPICAL_EVENTS[platform]
        for name, value in typical_claims(platform, event, {}).items()
    }
    match = ", ".join(f"{name}: x" for name in sorted(claims) if name not in {"iss", "aud"})

    assert "claim-unknown" not in codes_in(denying(match, platform))
