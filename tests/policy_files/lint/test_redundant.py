"""Policies that another one makes superfluous, and what takes no effect."""

import pytest

from tests.policy_files.lint.finding import (
    IDS,
    ISSUERS,
    MAIN,
    PROJECT,
    findings_in,
    policies,
    report_on,
)


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
