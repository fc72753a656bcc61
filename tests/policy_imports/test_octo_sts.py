"""Trust policies of octo-sts: what of them carries over, and what is refused with its line."""

from typing import Any

import pytest

from broker.core.errors import ConfigurationError
from broker.policy_imports import translate
from tests.policy_imports.translating import conditions, refusals, translated

ISSUER = "issuer: https://token.actions.githubusercontent.com\n"
MAIN = "repo:acme/web:ref:refs/heads/main"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"subject: {MAIN}\n", {"sub": MAIN}),
        (f"subject: {MAIN}\naudience: octo-sts.dev\n", {"sub": MAIN}),
        # A pattern of few values is their list.
        (
            "subject_pattern: repo:acme/web:ref:refs/heads/(main|next)\n",
            {"sub": [MAIN, "repo:acme/web:ref:refs/heads/next"]},
        ),
        (r"subject_pattern: '^repo:acme/web\.io:pull_reques[t]$'" + "\n", None),
        (
            "subject_pattern: 'repo:acme/web:environment:[a-z]+'\n",
            {
                "repository": "acme/web",
                "sub": {"regex": "repo:acme/web:environment:[a-z]{1,229}"},
            },
        ),
        (
            "subject_pattern: 'repo:acme/[^:]+:ref:refs/heads/main'\n",
            {
                "repository_owner": "acme",
                "sub": {"regex": "repo:acme/[!#%*-9=?-Z\\^_a-z|~]{1,225}:ref:refs/heads/main"},
            },
        ),
        (
            f"subject: {MAIN}\nclaim_pattern:\n  workflow_ref: '.*@refs/heads/main'\n",
            {"sub": MAIN, "workflow_ref": {"regex": ".*@refs/heads/main"}},
        ),
        (
            f"subject: {MAIN}\nclaim_pattern:\n  actor: 'a|b'\n",
            {"sub": MAIN, "actor": ["a", "b"]},
        ),
        (
            "subject_pattern: '[a-z]+:[a-z]+'\nclaim_pattern: {repository: 'acme/.+'}\n",
            {
                "repository_owner": "acme",
                "sub": {"regex": "[a-z]{1,127}:[a-z]{1,127}"},
                "repository": {"regex": "(?-i:acme/.+)"},
            },
        ),
    ],
)
def test_a_trust_policy_carries_over(text: str, expected: dict[str, Any] | None) -> None:
    [found] = conditions("octo-sts", ISSUER + text)

    assert found == (
        expected
        or {
            "sub": "repo:acme/web.io:pull_request",
            "event_name": ["pull_request", "pull_request_review", "pull_request_review_comment"],
        }
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("issuer_pattern: https://.*\nsubject: x\n", "a pattern for the issuer"),
        ("subject: x\n", "`issuer` is missing"),
        ("issuer: http://accounts.example\nsubject: x\n", "no https URL"),
        ("issuer: https://accounts.google.com\nsubject: x\n", "--preset"),
        (ISSUER, "one of `subject` and `subject_pattern`"),
        (ISSUER + "subject: x\nsubject_pattern: z\n", "one of `subject` and `subject_pattern`"),
        (ISSUER + f"subject: {MAIN}\naudience_pattern: .*\n", "a pattern for the audience"),
        (ISSUER + f"subject: {MAIN}\nsubjects: [x]\n", "`subjects` is no member"),
        (ISSUER + "subject: environment:production\n", "any tenant of the platform"),
        (ISSUER + "subject_pattern: 'repo:acme.*'\n", "any tenant of the platform"),
        (ISSUER + "subject_pattern: '.*'\n", "any tenant of the platform"),
        (ISSUER + "subject: repo:acme/web:ref:refs/heads/a;b\n", "refuses every such subject"),
        (ISSUER + "subject_pattern: 'repo:acme/web:(\\$|;)'\n", "refuses every such subject"),
        (ISSUER + "subject_pattern: 'repo:acme/web:a+;'\n", "a character that octo-sts refuses"),
        (ISSUER + "subject_pattern: 'repo:acme/web:(a{100}){10}'\n", "more than 255 characters"),
        (ISSUER + "subject_pattern: '(a*b*)*(c*d*)*'\n", "more than 255 characters"),
        (ISSUER + "subject_pattern: '^repo:acme/web:a|b'\n", "leaves the other side open"),
        (ISSUER + "subject_pattern: '(?i)repo:acme/web:.*'\n", "a group with flags"),
        (ISSUER + "subject_pattern: 'repo:acme/web:('\n", "it is no regex"),
        (ISSUER + f"subject: {MAIN}\nclaim_pattern: {{ref: '.*'}}\n", "`ref` may be empty"),
        (ISSUER + f"subject: {MAIN}\nclaim_pattern: {{actor: 'a?'}}\n", "an empty text"),
        (ISSUER + f"subject: {MAIN}\nclaim_pattern: {{aud: 'a'}}\n", "known to be a text"),
        (
            ISSUER + f"subject: {MAIN}\nclaim_pattern: {{sub: '.*'}}\n",
            "",
        ),
    ],
)
def test_a_trust_policy_is_refused(text: str, told: str) -> None:
    if not told:
        # A literal that satisfies the pattern as well is left as it is.
        assert conditions("octo-sts", text) == [{"sub": MAIN}]
        return
    found = refusals("octo-sts", text)

    assert any(told in each for each in found), found


def test_a_refusal_names_its_line() -> None:
    [found] = refusals("octo-sts", ISSUER + f"subject: {MAIN}\naudience_pattern: .*\n")

    assert found.startswith("source:3:19: ")


def test_what_it_allows_is_for_the_operator_to_say_anew() -> None:
    text = ISSUER + (
        f"subject: {MAIN}\npermissions:\n  contents: read\nrepositories: [web]\napp: bot\n"
    )

    assert translated("octo-sts", text).rights == (
        'source:4: permissions: "contents": "read"',
        'source:5: repositories: ["web"]',
        'source:6: app: "bot"',
    )


@pytest.mark.parametrize(
    "text",
    [
        "issuer: [x]\n",
        ISSUER + "subject: 1\n",
        ISSUER + "claim_pattern: x\nsubject: x\n",
        ISSUER + "claim_pattern: {ref: 1}\nsubject: x\n",
        ISSUER + ISSUER,
        "issuer: &x https://a.example\nsubject: *x\n",
        "issuer: !!str https://a.example\n",
        "- issuer\n",
        "issuer: [\n",
    ],
)
def test_what_is_no_trust_policy_cannot_be_read(text: str) -> None:
    with pytest.raises(ConfigurationError):
        translate("octo-sts", text.encode(), "source")
