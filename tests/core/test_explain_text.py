"""An explanation for a terminal, and the YAML that it proposes to write."""

from typing import Any

import pytest
import yaml as pyyaml
from hypothesis import given
from hypothesis import strategies as st

from broker.core.condition_text import got_from, shown, with_item, yaml, yaml_line
from broker.core.conditions import AnyOf, Equals, Glob, Not, Present
from broker.core.explain import for_caller
from broker.core.explanation_text import render
from tests.core.builders import (
    NOW,
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    github_claims,
)
from tests.core.explain_cases import explained, glob, web_policy


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_a_refusal_reads_from_the_reason_to_the_fix() -> None:
    policy = web_policy(ref=["refs/heads/main", glob("refs/heads/release/*")], workflow="deploy")

    text = render(explained(policy, github_claims(ref="refs/heads/dev")))

    assert lines(text) == [
        "deny: no_policy_matched",
        "",
        "✗ policy web-production (allow, service account deploy-web)",
        "    ✓ repository_id: expected 456789, got 456789",
        (
            '    ✗ ref: expected any of [refs/heads/main, {glob: "refs/heads/release/*"}], got'
            " refs/heads/dev"
        ),
        "    ✓ workflow: expected deploy, got deploy",
        "    ✓ event_name: guard, got push",
        "",
        (
            "fix: add refs/heads/dev to `ref` of policy web-production: `ref: [refs/heads/main,"
            ' {glob: "refs/heads/release/*"}, refs/heads/dev]`'
        ),
    ]


def test_a_permit_reads_from_what_is_granted_to_the_policy_that_grants_it() -> None:
    policy = a_policy("web", place="policies/web.yaml:3")

    assert lines(render(explained(policy))) == [
        "permit: deploy-web at https://deploy-api.example",
        "  sub: deploy-web",
        "  scopes: deploy:read deploy:write",
        "  ttl: 600 seconds",
        "",
        "✓ policy web (allow, service account deploy-web, policies/web.yaml:3)",
        "    ✓ repository: expected acme/web, got acme/web",
        "    ✓ event_name: guard, got push",
    ]


def test_a_permit_without_scopes_says_so() -> None:
    policies = a_policy_set(
        web_policy(),
        services=[a_service(scopes={})],
        accounts=[an_account(grants={"deploy-api": []})],
    )

    assert "  scopes: none" in lines(render(explained(policies)))


def test_what_is_no_condition_has_lines_of_its_own() -> None:
    policies = a_policy_set(
        a_policy("a", expires_at=float(NOW)),
        a_policy("b", {"repository": "acme/web", "actor": "x"}, service_account="other"),
        a_deny_policy("c", {"event_name": "push"}, services=frozenset({"vault"})),
        services=[a_service(), a_service("vault")],
        accounts=[an_account()],
    )

    explanation = explained(policies, client_id="deploy-web")

    assert [line for line in lines(render(explanation)) if "    ✗" in line] == [
        "    ✗ expired",
        "    ✗ actor: expected x, got absent",
        "    ✗ another service account was asked for",
        "    ✗ does not reach the service asked for",
        "    ✗ spares the service asked for",
    ]
    caller = lines(render(for_caller(explanation)))
    assert "    ✗ a condition on who started the job, not shown here" in caller


def test_a_guard_that_fails_says_what_it_expected() -> None:
    text = render(explained(web_policy(), github_claims(event_name="issues")))

    assert (
        "    ✗ event_name: guard expected [create, delete, deployment, merge_group, push, release,"
        " repository_dispatch, schedule, workflow_dispatch] or to be named, got issues"
    ) in lines(text)


def test_plain_ascii_is_enough() -> None:
    policy = web_policy(environment="Zürich", ref="refs/heads/main")

    text = render(explained(policy, github_claims(environment="Tōkyō")), ascii_only=True)

    assert text.isascii()
    assert "    [ok] ref: expected refs/heads/main, got refs/heads/main" in lines(text)
    assert '    [no] environment: expected "Z\\xfcrich", got T\\u014dky\\u014d' in lines(text)


@given(st.text(max_size=50))
def test_no_token_moves_the_cursor_or_ends_a_line(text: str) -> None:
    explanation = explained(
        web_policy(ref="refs/heads/another", event_name="x"), github_claims(ref=text, head_ref=text)
    )

    rendered = render(explanation)

    assert all(line.isprintable() for line in rendered.split("\n"))
    assert all(
        line.startswith(("permit: ", "deny: ", "✓ ", "✗ ", "    ✓ ", "    ✗ ", "fix: ")) or not line
        for line in rendered.split("\n")
    )


scalars = st.text(max_size=20) | st.sampled_from(
    [
        "yes",
        "No",
        "null",
        "~",
        "true",
        "TRUE",
        "012",
        "1_0",
        "1:30",
        "0x1f",
        "2027-06-30",
        "1e3",
        "a:b",
        "-",
        "x: y",
    ]
)
matchers = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["glob", "regex", "not"]), inner, max_size=1)
    ),
    max_leaves=5,
)


@given(matchers)
def test_what_is_written_as_yaml_reads_back_as_it_was(value: Any) -> None:
    assert _as_text(pyyaml.safe_load(yaml(value))) == value


def _as_text(value: Any) -> Any:
    """Read scalars as conditions do: numbers as decimals, booleans as their words."""
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in value.items()}
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("refs/heads/main", "refs/heads/main"),
        ("deploy:write", "deploy:write"),
        ("1234567", "1234567"),
        ("0123", '"0123"'),
        (7, "7"),
        (True, "true"),
        ("no", '"no"'),
        ("true", "true"),
        ("True", '"True"'),
        ("NULL", '"NULL"'),
        ("", '""'),
        (None, "null"),
        (1.5, "1.5"),
        ('a"b\\', '"a\\"b\\\\"'),
        ("\n", '"\\U0000000a"'),
        ({"glob": "a/*"}, '{glob: "a/*"}'),
        (["a", {"x": []}], "[a, {x: []}]"),
    ],
)
def test_yaml_is_plain_only_where_nothing_else_can_be_read(value: Any, text: str) -> None:
    assert yaml(value) == text


def test_a_line_to_write_is_marked() -> None:
    assert yaml_line("ref", ["a", "b"]) == "`ref: [a, b]`"


@pytest.mark.parametrize(
    ("matcher", "value"),
    [
        (Equals("a"), ["a", "x"]),
        (Glob("a*"), [{"glob": "a*"}, "x"]),
        (AnyOf((Equals("a"), Glob("b*"))), ["a", {"glob": "b*"}, "x"]),
        (Not(Equals("a")), "x"),
        (Present(), "x"),
    ],
)
def test_one_more_value_stands_beside_those_that_are_there(matcher: Any, value: object) -> None:
    assert with_item(matcher, "x") == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "absent"),
        ("", "absent"),
        ("a", "a"),
        ([], "[]"),
        (["a", None], "[a, null]"),
        ({"a": 1.5}, "{a: 1.5}"),
        ("x" * 201, "x" * 200 + "..."),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_a_token_has_is_shown_short_and_printable(value: object, text: str) -> None:
    assert shown(value) == text


def test_got_keeps_what_has_no_text() -> None:
    assert got_from({"a": [1]}) == {"a": [1]}
