"""docs/reference/tokens.md and the claims of a service's own, and profiles, say the same."""

import re

import pytest

from broker.core.claim_templates import MAX_TEXT, parse_template
from broker.core.decision import DecisionRequest, Permit, decide
from broker.core.indexed_policies import IndexedPolicies
from broker.core.platforms import PRESETS
from broker.core.reserved_claims import MAX_NAME, claim_name_fault
from broker.core.token_profiles import MAX_LIFE, PROFILES
from broker.core.token_shape import MAX_CLAIMS, MAX_ITEMS, MAX_TAGS
from broker.policy_files.token_shapes import MAX_TAG_KEY
from tests.core.builders import NOW, github_claims
from tests.docs.markdown import Page, code, rows
from tests.docs.policies_in_pages import load_block

PAGE = Page("docs/reference/tokens.md")
CLAIMS = PAGE.section("Claims of a service's own")
PROFILE_ROWS = {code(row[0]): row for row in rows(PAGE.section("Profiles"))}
PLACEHOLDERS = [code(row[0]) for row in rows(CLAIMS) if row[0].startswith("`{")]


def test_every_placeholder_has_a_row_and_every_row_is_one() -> None:
    with pytest.raises(ValueError, match="placeholder") as refused:
        parse_template("{nothing}")

    known = re.findall(r"\{[a-z_.A-Z]+\}", str(refused.value).partition(";")[2])
    assert sorted(PLACEHOLDERS) == sorted(known)
    for placeholder in PLACEHOLDERS:
        parse_template(placeholder)


def test_the_ids_and_paths_are_those_of_the_platforms() -> None:
    for platform in PRESETS.values():
        assert [each for each in platform.immutable_ids if f"`{each}`" not in CLAIMS] == []
        assert [each for each in platform.tenant_paths if f"`{each}`" not in CLAIMS] == []


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"Up to {MAX_CLAIMS} claims of up to {MAX_ITEMS} items each" in CLAIMS
    assert f"at most {MAX_TEXT} characters" in CLAIMS
    assert f"up to {MAX_NAME} characters" in CLAIMS
    tags = PAGE.section("Session tags")
    assert f"Up to {MAX_TAGS}, " in tags
    assert f"keys of up to {MAX_TAG_KEY} characters" in tags
    assert MAX_LIFE == 3600
    assert "one hour at most" in PAGE.section("Profiles")


def test_the_names_that_are_shown_as_taken_are() -> None:
    (shown,) = re.findall(r"in whatever case: (.+?) and their like", CLAIMS)
    names = re.findall(r"`([^`]+)`", shown)

    assert len(names) > 4
    assert [name for name in names if claim_name_fault(name) is None] == []
    (url,) = re.findall(r"an https URL \(`([^`]+)`\)", CLAIMS)
    assert claim_name_fault(url) is None


def test_every_profile_has_a_row_that_says_what_it_sets() -> None:
    assert list(PROFILE_ROWS) == list(PROFILES)
    for name, profile in PROFILES.items():
        _, algorithms, audience, issuer = PROFILE_ROWS[name]
        assert tuple(re.findall(r"`(\w+)`", algorithms)) == profile.algorithms
        assert audience == ("any" if profile.audience is None else f"`{profile.audience}`")
        assert ("no port" in issuer) == (not profile.port_allowed)


@pytest.mark.parametrize(
    ("service", "claims"),
    [
        ("cluster", {"groups": ["ci", "team:web", "repo:456789"]}),
        (
            "aws-prod",
            {
                "https://aws.amazon.com/tags": {
                    "principal_tags": {"team": ["web"], "repository_id": ["456789"]}
                }
            },
        ),
        (
            "registry",
            {"access": [{"type": "repository", "name": "acme/web", "actions": ["pull", "push"]}]},
        ),
    ],
)
def test_the_example_does_what_it_looks_like(service: str, claims: dict[str, object]) -> None:
    policy_set = load_block(CLAIMS).policy_set
    token = github_claims(repository_owner_id="1234567")

    permit = decide(
        token,
        policy_set.issuers["github"],
        DecisionRequest((service,)),
        IndexedPolicies.of(policy_set),
        NOW,
    )

    assert isinstance(permit, Permit)
    assert permit.claims == claims
