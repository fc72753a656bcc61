"""The lint about two policies that leave it open which account a job acts as."""

import pytest

from tests.policy_files.lint.finding import (
    IDS,
    ISSUERS,
    MAIN,
    assert_found,
    codes_in,
    findings_in,
    policies,
)


def two(one: str, other: str, **changes: str) -> str:
    """Write policy `a` for deploy-web and `b` for read-web, each with its `match`."""
    return policies(
        a={"match": one} | {key[2:]: text for key, text in changes.items() if key[0] == "a"},
        b={"match": other, "service_account": "read-web"}
        | {key[2:]: text for key, text in changes.items() if key[0] == "b"},
    )


def ambiguous(text: str) -> bool:
    return "ambiguous-account" in codes_in(text)


def test_a_job_that_satisfies_two_policies_has_no_account() -> None:
    text = two(MAIN, f"{MAIN}, environment: production").replace("  a:", "  ►a:")

    (found,) = assert_found(text, "ambiguous-account")

    assert "a job that also satisfies `b` is refused for `deploy-api`" in found.message


def test_an_account_that_lacks_what_its_policy_grants_counts_as_well() -> None:
    services = "services:\n  vault: {audience: 'https://vault.example', scopes: {v: Use it}}\n"
    accounts = "service_accounts:\n  vaulter: {grants: {vault: [v]}}\n"
    text = policies(
        a={"match": MAIN, "grants": "{vault: [v]}"},
        b={"match": MAIN, "grants": "{vault: [v]}", "service_account": "vaulter"},
    )

    assert ambiguous(services + accounts + text)


def test_many_others_are_not_all_told() -> None:
    entries = {name: {"match": MAIN} for name in "abcdef"}
    accounts = "service_accounts:\n" + "".join(
        f"  acc-{name}: {{grants: {{deploy-api: [deploy:read]}}}}\n" for name in entries
    )
    text = accounts + policies(
        **{name: each | {"service_account": f"acc-{name}"} for name, each in entries.items()}
    )

    messages = [each.message for each in findings_in(text)]

    assert "`b` or `c` or `d` or one of others is refused" in messages[0]
    assert "`d` or `e` or `f` is refused" in messages[2]
    assert "`f` is refused" in messages[4]
    assert len(messages) == 5


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (MAIN, "repository_owner_id: 1234567, ref: refs/heads/main"),
        (MAIN, f'{IDS}, ref: [{{glob: "refs/heads/ma*"}}]'),
        (MAIN, f"{IDS}, ref: {{not: refs/heads/next}}"),
        (f"{MAIN}, event_name: [push, schedule]", f"{MAIN}, event_name: schedule"),
        (f"{MAIN}, event_name: schedule", MAIN),
        (f"{IDS}, repository: ACME/web", f"{IDS}, repository: acme/WEB"),
        (f"{IDS}, /a/b: x", f"{IDS}, /a/b: x"),
        ("sub: 'repository_id:1'", "sub: 'repository_id:1'"),
        (f"{IDS}, ref: refs/heads/main", f"{IDS}, ref_type: branch"),
        (f"{IDS}, ref: refs/tags/v1", f"{IDS}, ref_type: tag"),
    ],
)
def test_two_policies_overlap(one: str, other: str) -> None:
    assert ambiguous(two(one, other))
    assert ambiguous(two(other, one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(MAIN, f"{IDS}, ref: refs/heads/next", id="another ref"),
        pytest.param(MAIN, f'{IDS}, ref: {{glob: "refs/heads/*/x"}}', id="a disjoint glob"),
        pytest.param(MAIN, f"{IDS}, event_name: pull_request", id="the guard"),
        pytest.param(
            f"{MAIN}, event_name: push", f"{MAIN}, event_name: {{not: push}}", id="another event"
        ),
        pytest.param(MAIN, "repository_id: 1, ref: refs/heads/main", id="another repository"),
        pytest.param(
            "repository_id: 1", "repository: acme/web, ref: refs/heads/main", id="an id and a name"
        ),
        pytest.param(
            "repository_id: 1, repository_owner_id: 7",
            "repository: acme/web, repository_owner_id: 7",
            id="an id and a name of one owner",
        ),
        pytest.param(
            "repository_owner_id: 1", "repository_owner: acme", id="an owner by id and by name"
        ),
        pytest.param(
            f"{IDS}, ref: {{regex: 'refs/heads/a.*'}}",
            f"{IDS}, ref: {{regex: 'refs/heads/.*b'}}",
            id="patterns of RE2",
        ),
        pytest.param(f"{IDS}, ref: refs/heads/main", f"{IDS}, ref_type: tag", id="a tag"),
        pytest.param(
            f'{IDS}, ref: [refs/tags/a, {{glob: "refs/tags/*"}}]',
            f"{IDS}, ref_type: branch",
            id="tags",
        ),
        pytest.param(f'{IDS}, event_name: {{glob: "pull*"}}', IDS, id="one that never holds"),
    ],
)
def test_two_policies_do_not_clearly_overlap(one: str, other: str) -> None:
    assert not ambiguous(two(one, other))
    assert not ambiguous(two(other, one))


@pytest.mark.parametrize(
    "ref",
    [
        "[refs/heads/main, refs/tags/main]",
        "{regex: 'refs/heads/main'}",
        '{glob: "refs/*/main"}',
    ],
)
def test_a_ref_of_any_type_may_be_a_tag(ref: str) -> None:
    assert ambiguous(two(f"{IDS}, ref: {ref}", f"{IDS}, ref_type: tag"))


@pytest.mark.parametrize(
    "changes",
    [
        {"b_mode": "observe"},
        {"b_expires": "2026-01-01"},
        {"b_service_account": "deploy-web"},
        {"b_service_account": "plain-web"},
    ],
)
def test_policies_that_do_not_decide_together_are_not_ambiguous(changes: dict[str, str]) -> None:
    assert not ambiguous(two(MAIN, MAIN, **changes))


def test_an_account_of_the_api_is_ambiguous_too() -> None:
    assert ambiguous(
        two(MAIN, MAIN, b_service_account="by-api", b_grants="{deploy-api: [deploy:read]}")
    )


def test_the_tenant_of_an_issuer_is_shared_by_its_policies() -> None:
    text = ISSUERS + two(
        "ref_path: refs/heads/main, ref_protected: true",
        "ref_protected: true",
        a_issuer="corp",
        b_issuer="corp",
    )

    assert ambiguous(text)


def test_policies_of_an_issuer_without_preset_can_overlap() -> None:
    issuers = (
        "issuers:\n"
        "  ci: {issuer: 'https://ci.example', tenant: [organization_id]}\n"
        "  own: {issuer: 'https://own.example', single_tenant: true}\n"
    )

    assert ambiguous(
        issuers + two("organization_id: 7", "organization_id: 7", a_issuer="ci", b_issuer="ci")
    )
    assert ambiguous(issuers + two("a: x", "b: z", a_issuer="own", b_issuer="own"))
    assert not ambiguous(issuers + two("a: x", "a: z", a_issuer="own", b_issuer="own"))
    assert not ambiguous(issuers + two(MAIN, MAIN, a_issuer="own", b_issuer="github"))
