"""Comments that accept findings, and the findings about comments."""

import pytest

from broker.policy_files.check import check
from tests.policy_files.lint.finding import IDS, NOW, assert_found, codes_in, report_on
from tests.policy_files.loading import load_alone

OPEN = """\
policies:
  p:{first}
    service_account: deploy-web
    issuer: github
    match:{match}
      repository_id: 456789
      repository_owner_id: 1234567{last}
"""


def text(**comments: str) -> str:
    """Write a policy for any ref, with comments behind some of its lines."""
    return OPEN.format(**{"first": "", "match": "", "last": ""} | comments)


@pytest.mark.parametrize("line", ["first", "match"])
def test_a_finding_is_accepted_on_its_line_or_on_the_first_of_the_policy(line: str) -> None:
    report = report_on(text(**{line: "  # allow: ref-not-pinned previews of every branch"}))

    mine = [each for each in report.findings if each.file == "test.yaml"]
    assert mine == []
    assert [
        (each.finding.lint.code, each.finding.line, each.reason) for each in report.accepted
    ] == [("ref-not-pinned", 5, "previews of every branch")]


def test_an_entry_that_is_no_policy_has_a_first_line_too() -> None:
    accounts = "service_accounts:\n  old:{}\n    grants: {{deploy-api: [deploy:read]}}\n"

    assert codes_in(accounts.format("")) == ["unused-account"]
    assert codes_in(accounts.format("  # allow: unused-account kept for INC-7")) == []


def test_a_comment_on_another_line_accepts_nothing() -> None:
    assert codes_in(text(last="  # allow: ref-not-pinned elsewhere")) == [
        "ref-not-pinned",
        "allow-unused",
    ]


def test_a_comment_in_another_file_accepts_nothing() -> None:
    report = report_on(text(), "# 1\n# 2\n# 3\n# 4\n# allow: ref-not-pinned here")

    assert [(each.file, each.lint.code) for each in report.findings if "base" not in each.file] == [
        ("test.yaml", "ref-not-pinned"),
        ("test1.yaml", "allow-unused"),
    ]


def test_a_comment_accepts_the_finding_that_it_names_alone() -> None:
    marked = text(first="  ►# allow: org-wide all").replace("    match:", "    ►match:")

    assert_found(marked, "allow-unused", "ref-not-pinned")


def test_several_findings_are_accepted_on_one_line() -> None:
    wide = (
        "policies:\n"
        "  p: # allow: org-wide for all # allow: ref-not-pinned previews # of branches\n"
        "    service_account: deploy-web\n"
        "    issuer: github\n"
        "    match: {repository_owner_id: 1234567}\n"
    )

    report = report_on(wide)

    assert [(each.finding.lint.code, each.reason) for each in report.accepted] == [
        ("ref-not-pinned", "previews # of branches"),
        ("org-wide", "for all"),
    ]


@pytest.mark.parametrize("space", ["", " ", "   "])
def test_a_comment_without_reason_is_a_finding_itself(space: str) -> None:
    marked = text(match=f"  ►#{space}allow:  ref-not-pinned ")

    (found,) = assert_found(marked, "allow-without-reason")

    assert found.lint.severity == "error"
    assert "`# allow: ref-not-pinned REASON`" in found.message


@pytest.mark.parametrize(
    ("comment", "words"),
    [
        ("# allow: ref-not-pined x", "there is no lint `ref-not-pined`; did you mean `ref-not-"),
        ("# allow: expired x", "there is no finding `expired` here to accept"),
        ("# allow:", "name a lint and say why"),
        ("# x # allow: nothing", "there is no lint `nothing`"),
    ],
)
def test_a_comment_that_accepts_nothing_is_a_finding(comment: str, words: str) -> None:
    found = [
        each
        for each in report_on(text(first=f" {comment}")).findings
        if each.lint.code == "allow-unused"
    ]

    assert [each.column for each in found] == [5 + 1 + comment.index("# allow")]
    assert words in found[0].message


def test_what_stands_in_a_value_is_no_comment() -> None:
    value = "\n    description: 'x # allow: ref-not-pinned because'"

    assert codes_in(text(first=value)) == ["ref-not-pinned"]
    assert codes_in(text(first="\n    description: see#allow: x".replace(": x", ":x"))) == [
        "ref-not-pinned"
    ]


@pytest.mark.parametrize("comment", ["# disallow: x y", "# allow:x y", "# we allow: x y"])
def test_prose_is_no_acceptance(comment: str) -> None:
    assert codes_in(text(first=f" {comment}")) == ["ref-not-pinned"]


def test_the_same_comment_twice_is_once_too_many() -> None:
    comment = "# allow: ref-not-pinned previews"

    assert codes_in(text(first=f" {comment} {comment}")) == ["allow-unused"]


def test_of_two_comments_for_one_finding_both_are_used() -> None:
    comment = "  # allow: ref-not-pinned previews"

    assert codes_in(text(first=comment, match=comment)) == []


def test_a_comment_that_one_of_two_sets_needs_is_used() -> None:
    issuer = "issuers: {github: {preset: github}} # allow: unused-issuer used in dev\n"
    service = "services: {s: {audience: 'https://s.example', scopes: {r:read: R}}}\n"
    account = "service_accounts: {aa: {grants: {s: [r:read]}}}\n"
    dev = f"policies: {{p: {{service_account: aa, issuer: github, match: {{{IDS}}}}}}}\n"
    alone = load_alone({"a.yaml": issuer})
    all_files = load_alone({"a.yaml": issuer, "dev.yaml": service + account + dev})

    assert check([alone, all_files], NOW).findings == ()
    assert [each.lint.code for each in check([all_files], NOW).findings] == ["allow-unused"]
