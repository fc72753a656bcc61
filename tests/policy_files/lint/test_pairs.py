"""What two policies do to each other: ambiguous accounts, shadows, and what takes no effect."""

import pytest

from tests.policy_files.lint.finding import (
    IDS,
    PROJECT,
    assert_found,
    codes_in,
    findings_in,
    report_on,
)

MAIN = f"{IDS}, ref: refs/heads/main"
ISSUERS = (
    "issuers:\n  corp: {preset: gitlab, issuer: 'https://g.example', require: {namespace_id: 42}}\n"
)


def two(one: str, other: str, **changes: str) -> str:
    """Write policy `a` for deploy-web and `b` for read-web, each with its `match`."""
    return policies(
        a={"match": one} | {key[2:]: text for key, text in changes.items() if key[0] == "a"},
        b={"match": other, "service_account": "read-web"}
        | {key[2:]: text for key, text in changes.items() if key[0] == "b"},
    )


def policies(**entries: dict[str, str]) -> str:
    """Write allow policies for deploy-web from GitHub unless their fields say otherwise."""
    text = "policies:\n"
    for name, fields in entries.items():
        text += f"  {name}:\n"
        usual = {"issuer": "github"}
        if fields.get("effect") != "deny":
            usual["service_account"] = "deploy-web"
        match = f"{{{fields['match']}}}"
        for key, value in (usual | fields | {"match": match}).items():
            text += f"    {key}: {value}\n"
    return text


def ambiguous(text: str) -> bool:
    return "ambiguous-account" in codes_in(text)


def test_a_job_that_satisfies_two_policies_has_no_account() -> None:
    text = two(MAIN, f"{MAIN}, environment: production").replace("  a:", "  ►a:")

    (found,) = assert_found(text, "ambiguous-account")

    assert "a job that also satisfies `b` is refused for `deploy-api`" in found.message


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


def shadows(one: dict[str, str], other: dict[str, str], before: str = "") -> list[tuple[int, str]]:
    """Give line and message of the shadows between policies `a` and `b`."""
    found = findings_in(before + policies(a=one, b=other))
    return [(each.line, each.message) for each in found if each.lint.code == "shadowed"]


def test_a_policy_is_shadowed_by_a_wider_one() -> None:
    narrow, wide = {"match": f"{MAIN}, environment: production"}, {"match": MAIN}

    (found,) = shadows(narrow, wide)

    assert found[0] == 2
    assert "`b` holds for all of these jobs and grants as much" in found[1]
    assert len(shadows(wide, narrow)) == 1


def test_of_two_equal_policies_the_second_is_shadowed() -> None:
    ((line, _),) = shadows({"match": MAIN}, {"match": MAIN})

    assert line == 6


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ({"match": MAIN}, {"match": f"{IDS}, ref: [refs/heads/next, refs/heads/main]"}),
        ({"match": MAIN}, {"match": f'{IDS}, ref: {{glob: "refs/heads/*"}}'}),
        ({"match": f"{MAIN}, event_name: push"}, {"match": MAIN}),
        ({"match": MAIN}, {"match": "repository_owner_id: 1234567, ref: {present: true}"}),
        ({"match": MAIN, "grants": "{deploy-api: [deploy:read]}"}, {"match": MAIN}),
        ({"match": MAIN, "ttl": "10m"}, {"match": MAIN, "ttl": "5m"}),
        ({"match": MAIN, "max_ttl": "10m"}, {"match": MAIN, "max_ttl": "10m"}),
        ({"match": MAIN}, {"match": MAIN, "ttl": "5m"}),
        ({"match": MAIN, "expires": "2036-01-01"}, {"match": MAIN}),
        ({"match": MAIN, "expires": "2036-01-01"}, {"match": MAIN, "expires": "2037-01-01"}),
    ],
)
def test_what_adds_nothing_is_shadowed(narrow: dict[str, str], wide: dict[str, str]) -> None:
    assert [line for line, _ in shadows(narrow, wide)] in ([2], [2 + 4 + len(narrow) - 1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"match": f"{IDS}, ref: refs/heads/next"}),
        ({}, {"match": f"{IDS}, ref: {{present: true}}", "grants": "{deploy-api: [deploy:read]}"}),
        ({"ttl": "5m"}, {"match": f"{IDS}, ref: [refs/heads/main, refs/heads/x]"}),
        ({"ttl": "5m"}, {"match": f"{IDS}, ref: [refs/heads/main, refs/heads/x]", "ttl": "6m"}),
        ({"max_ttl": "5m"}, {"match": f"{IDS}, ref: [refs/heads/main, refs/heads/x]"}),
        ({}, {"match": f"{IDS}, ref: [refs/heads/main, refs/heads/x]", "expires": "2036-01-01"}),
        ({}, {"service_account": "read-web"}),
        ({}, {"mode": "observe"}),
        ({}, {"expires": "2026-01-01"}),
        ({}, {"match": f"{MAIN}, event_name: [push, pull_request]", "expires": "2036-01-01"}),
        ({}, {"match": f"{IDS}, ref_protected: true"}),
    ],
)
def test_what_adds_something_is_not_shadowed(one: dict[str, str], other: dict[str, str]) -> None:
    assert shadows({"match": MAIN} | one, {"match": MAIN} | other) == []


def test_what_the_issuer_requires_shadows() -> None:
    both = {"issuer": "corp"}
    main = "project_id: 7, ref_path: refs/heads/main, ref_protected: true"

    found = shadows(
        both | {"match": main}, both | {"match": "project_id: 7, namespace_id: 42"}, ISSUERS
    )

    assert len(found) == 1


def no_effects(text: str) -> list[str]:
    return [each.message for each in findings_in(text) if each.lint.code == "no-effect"]


@pytest.mark.parametrize(
    ("issuer", "match", "event"),
    [
        ("github", f'{MAIN}, event_name: {{glob: "pull_request*"}}', "[pull_request]"),
        ("github", f"{MAIN}, event_name: {{regex: 'pull_request'}}", "[pull_request]"),
        ("gitlab", f"{PROJECT}, pipeline_source: {{regex: 'm.*'}}", "[merge_request_event]"),
    ],
)
def test_events_of_outsiders_are_named_one_by_one(issuer: str, match: str, event: str) -> None:
    (message,) = no_effects(policies(a={"match": match, "issuer": issuer}))

    assert "this matches no event" in message
    assert event in message


@pytest.mark.parametrize("event", ["pull_request", "{not: push}", "[workflow_run, x]"])
def test_events_that_are_named_have_an_effect(event: str) -> None:
    assert no_effects(policies(a={"match": f"{MAIN}, event_name: {event}"})) == []


def test_what_the_issuer_excludes_never_holds() -> None:
    match = "namespace_id: 43, project_id: 7, ref_protected: true"

    (message,) = no_effects(ISSUERS + policies(a={"match": match, "issuer": "corp"}))

    assert "issuer `corp` requires another value" in message
    assert (
        no_effects(
            ISSUERS + policies(a={"match": "namespace_id: 42, project_id: 7", "issuer": "corp"})
        )
        == []
    )


def test_an_event_that_the_issuer_excludes_never_comes() -> None:
    issuer = (
        "issuers:\n  corp: {preset: gitlab, issuer: 'https://g.example',"
        " require: {pipeline_source: merge_request_event}}\n"
    )

    (message,) = no_effects(issuer + policies(a={"match": PROJECT, "issuer": "corp"}))

    assert "this matches no event" in message


@pytest.mark.parametrize(
    ("grants", "lacking"),
    [
        ("{deploy-api: [deploy:read, deploy:write]}", "`grants: {deploy-api: [deploy:write]}`"),
        ("{plain: []}", "`grants: {plain: []}`"),
    ],
)
def test_a_policy_cannot_grant_what_its_account_does_not_hold(grants: str, lacking: str) -> None:
    text = policies(a={"match": MAIN, "service_account": "read-web", "grants": grants})

    (message,) = no_effects(text)

    assert "account `read-web` is not granted this" in message
    assert lacking in message


DENY = {"effect": "deny"}


@pytest.mark.parametrize(
    "denies",
    [
        {"d": {"match": "event_name: pull_request_target"}},
        {"d": {"match": 'event_name: {glob: "pull_request*"}', "services": "[deploy-api]"}},
        {"d": {"match": f"event_name: [pull_request_target, x], {IDS}"}},
        {"d": {"match": "repository_id: {present: true}"}},
        {"c": {"match": "ref: x"}, "d": {"match": "repository_id: 456789"}},
    ],
)
def test_what_is_always_denied_takes_no_effect(denies: dict[str, dict[str, str]]) -> None:
    allow = {"match": f"{MAIN}, event_name: pull_request_target"}

    (message,) = no_effects(
        policies(a=allow, **{name: each | DENY for name, each in denies.items()})
    )

    assert "all of these jobs are refused by `d`" in message


def test_several_denies_can_leave_nothing() -> None:
    text = (
        "service_accounts:\n  both: {grants: {plain: [], deploy-api: [deploy:write]}}\n"
        + policies(
            a={"match": MAIN, "service_account": "both"},
            c={"match": "ref: refs/heads/main", "services": "[plain]"} | DENY,
            d={"match": "repository_id: 456789", "services": "[deploy-api, plain]"} | DENY,
        )
    )

    (message,) = no_effects(text)

    assert "are refused by `c` and `d`, whatever" in message
    assert no_effects(text.replace("[deploy-api, plain]", "[plain]")) == []


@pytest.mark.parametrize(
    "deny",
    [
        {"match": "event_name: workflow_dispatch"},
        {"match": "event_name: push"},
        {"match": "repository_id: {not: 1}"},
        {"match": "environment: production"},
        {"match": "repository_id: 456789", "services": "[plain]"},
        {"match": "repository_id: 456789", "mode": "observe"},
        {"match": "repository_id: 456789", "expires": "2036-01-01"},
        {"match": "repository_id: 456789", "issuer": "gitlab"},
    ],
)
def test_what_is_not_always_denied_may_take_effect(deny: dict[str, str]) -> None:
    assert no_effects(policies(a={"match": MAIN}, d=deny | DENY)) == []


def test_a_policy_that_never_holds_is_told_once() -> None:
    text = policies(
        a={"match": f'{MAIN}, event_name: {{glob: "pull*"}}'},
        d={"match": "repository_id: 456789"} | DENY,
    )

    assert len(no_effects(text)) == 1


def test_what_is_found_in_two_places_is_told_once() -> None:
    issuer = ISSUERS.replace("namespace_id: 42", "ref: {glob: '**'}")
    match = f"{PROJECT}, ref_protected: true"

    report = report_on(
        issuer
        + policies(
            a={"match": match, "issuer": "corp"},
            b={"match": f"{match}, environment_protected: true", "issuer": "corp"},
        )
    )

    assert [each.lint.code for each in report.findings].count("any-ref") == 1
