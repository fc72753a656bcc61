"""Names that lead nowhere, entries that nothing leads to, wildcards, and policies that end."""

import pytest

from tests.policy_files.lint.finding import IDS, NOW, assert_found, codes_in, findings_in, policy

MATCH = f"{IDS}, ref: refs/heads/main"
DAY = 86_400


def test_an_account_that_no_file_defines_can_be_made_by_others() -> None:
    (found,) = assert_found(
        policy(MATCH, service_account="►deploy-wbe", grants="{deploy-api: [deploy:write]}"),
        "account-undefined",
    )

    assert "can make `deploy-wbe` and decide what it is" in found.message


def test_an_account_without_policy_is_unused() -> None:
    assert_found(
        "service_accounts:\n  ►old: {grants: {deploy-api: [deploy:read]}}\n", "unused-account"
    )


def test_an_account_that_may_introspect_is_used() -> None:
    text = (
        "service_accounts:\n  gateway: {grants: {gate: []}}\n"
        "services:\n  gate: {audience: 'https://gate.example', introspection: [gateway]}\n"
    )

    assert codes_in(text) == []


def test_a_service_without_account_is_unused() -> None:
    (found,) = assert_found(
        "services:\n  ►old: {audience: 'https://old.example'}\n", "unused-service"
    )

    assert "write `grants: {old: […]}`" in found.message


def test_a_service_that_only_a_policy_grants_is_used() -> None:
    text = "services:\n  mine: {audience: 'https://mine.example', scopes: {x:read: Read}}\n"

    assert codes_in(text + policy(MATCH, service_account="by-api", grants="{mine: [x:read]}")) == [
        "account-undefined"
    ]


def test_an_issuer_without_policy_is_unused() -> None:
    text = "issuers:\n  ►corp: {preset: gitlab, issuer: 'https://g.example'}\n"

    assert_found(text, "unused-issuer")
    assert (
        codes_in(
            text.replace("►", "")
            + "policies: {d: {effect: deny, issuer: corp, match: {ref: main}}}"
        )
        == []
    )


@pytest.mark.parametrize("scope", ["deploy:*"])
def test_a_wildcard_grants_what_is_added_later(scope: str) -> None:
    (found,) = assert_found(policy(MATCH, grants=f'{{deploy-api: [►"{scope}"]}}'), "scope-wildcard")

    assert "write what is meant today: `deploy-api: [deploy:read, deploy:write]`" in found.message


def test_a_wildcard_of_an_account_is_told_at_its_item() -> None:
    text = 'service_accounts:\n  all: {grants: {deploy-api: [deploy:read, ►"deploy:*"]}}\n'

    assert_found(text + policy(MATCH, service_account="all"), "scope-wildcard")


@pytest.mark.parametrize(
    "scope",
    ["deploy:read", "deploy.list", "repo/pull", "read:packages", "state:plan", "DEPLOY:READ"],
)
def test_some_scopes_only_read(scope: str) -> None:
    text = f"services:\n  s: {{audience: 'https://s.example', scopes: {{'{scope}': It}}}}\n"
    text += f"service_accounts:\n  aa: {{grants: {{s: ['{scope}']}}}}\n"

    assert codes_in(text + policy(IDS, service_account="aa")) == []


@pytest.mark.parametrize("scope", ["deploy", "deploy:write", "read:write", "admin", "list:delete"])
def test_every_other_scope_may_change_something(scope: str) -> None:
    text = f"services:\n  s: {{audience: 'https://s.example', scopes: {{'{scope}': It}}}}\n"
    text += f"service_accounts:\n  aa: {{grants: {{s: ['{scope}']}}}}\n"

    (found,) = findings_in(text + policy(IDS, service_account="aa"))

    assert found.lint.code == "ref-not-pinned"
    assert f"grants `{scope}`" in found.message


@pytest.mark.parametrize(
    ("expires", "codes"),
    [
        ("2026-11-21", ["expired"]),
        ("2020-01-01", ["expired"]),
        ("2026-11-22", ["expires-soon"]),
        ("2026-12-05", ["expires-soon"]),
        ("2026-12-06", []),
        ("2036-01-01", []),
    ],
)
def test_a_policy_ends_at_the_beginning_of_a_day(expires: str, codes: list[str]) -> None:
    midnight = NOW - NOW % DAY

    found = findings_in(policy(MATCH, expires=expires), now=midnight)

    assert [each.lint.code for each in found] == codes
    assert all(expires in each.message for each in found)
