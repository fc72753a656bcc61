"""Values that look like patterns and are compared as they stand."""

import pytest

from tests.policy_files.lint.finding import MAIN, assert_found, codes_in, policy


@pytest.mark.parametrize(
    "match",
    [
        pytest.param(f"{MAIN}, workflow_ref: ►acme/web/x.yml@refs/heads/*", id="a text"),
        pytest.param(f"{MAIN}, environment: [production, ►prod-*]", id="an item of a list"),
        pytest.param(f"{MAIN}, environment: {{not: ►dev*}}", id="under `not`"),
        pytest.param(f"{MAIN}, environment: {{not: [dev, ►dev-*]}}", id="in a list under `not`"),
        pytest.param(f"{MAIN}, /nested/claim: ►x*", id="inside a nested claim"),
    ],
)
def test_a_star_outside_a_glob_stands_for_itself(match: str) -> None:
    (found,) = assert_found(policy(match), "literal-star")

    assert "for a pattern write `" in found.message
    assert '{glob: "' in found.message


def test_a_deny_policy_with_such_a_star_denies_nobody() -> None:
    assert_found(
        "policies: {d: {effect: deny, issuer: github, match: {event_name: ►pull_request*}}}\n",
        "literal-star",
    )


def test_the_star_is_found_in_every_require() -> None:
    text = (
        "issuers: {corp: {preset: gitlab, issuer: 'https://g.example',"
        " require: {namespace_path: ►acme*}}}\n"
        "services: {s: {audience: 'https://s.example', require: {environment: ►prod*}}}\n"
        "service_accounts: {web: {grants: {s: []}}}\n"
        "policies: {d: {effect: deny, issuer: corp, match: {ref: x}},"
        " p: {issuer: github, service_account: web, match: {repository_id: 1,"
        " repository_owner_id: 2, ref: refs/heads/main}}}\n"
    )

    assert_found(text, "literal-star", "literal-star")


@pytest.mark.parametrize(
    ("match", "advice"),
    [
        ("repository: ►acme/*", 'for a pattern write `repository: {glob: "acme/*"}`'),
        ("repository: ►acme*", "write out the values that are meant"),
        ("repository_owner: ►acme*", "write out the values that are meant"),
    ],
)
def test_no_pattern_is_proposed_that_lets_other_tenants_in(match: str, advice: str) -> None:
    (found,) = assert_found(policy(f"{MAIN}, {match}"), "literal-star")

    assert advice in found.message


@pytest.mark.parametrize(
    "match",
    [f'{MAIN}, environment: {{glob: "prod*"}}', f'{MAIN}, environment: {{regex: "prod.*"}}'],
)
def test_a_star_in_a_pattern_is_a_wildcard(match: str) -> None:
    assert codes_in(policy(match)) == []
