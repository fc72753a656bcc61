"""docs/lints and the lints say the same: every example of a page is what the page says."""

import pytest

from broker.core.policy_lint import LINTS, Lint, Severity
from broker.policy_files.check import check
from tests.docs.markdown import ROOT, Page, code, rows
from tests.policy_files.lint.finding import NOW
from tests.policy_files.loading import load_alone

INDEX = Page("docs/lints/README.md")
BASE = Page("docs/lints/README.md").blocks("yaml")[-1].text
EVERY_LINT = pytest.mark.parametrize("lint", LINTS.values(), ids=lambda lint: lint.code)


def found_in(example: str) -> set[str]:
    loaded = load_alone({"base.yaml": BASE, "example.yaml": example})
    findings = check([loaded], NOW).findings
    return {each.lint.code for each in findings if each.file == "example.yaml"}


def test_the_index_lists_every_lint_as_the_table_does() -> None:
    expected = [
        [f"[`{each.code}`]({each.code}.md)", each.severity.value, each.title]
        for each in LINTS.values()
    ]

    assert rows(INDEX.section("All of them")) == expected


def test_the_index_tells_what_each_severity_means() -> None:
    table = rows(INDEX.text.partition("## ")[0])

    assert [row[0] for row in table] == [severity.value for severity in Severity]


def test_the_lints_come_in_alphabetical_order() -> None:
    assert list(LINTS) == sorted(LINTS)


def test_there_is_no_page_without_lint() -> None:
    files = {each.stem for each in (ROOT / "docs/lints").glob("*.md")}

    assert files - {"README"} == set(LINTS)


def test_the_example_of_an_accepted_finding_is_accepted() -> None:
    assert found_in(INDEX.blocks("yaml")[0].text) == set()


@EVERY_LINT
def test_a_page_names_its_lint(lint: Lint) -> None:
    page = Page(lint.page)

    assert page.headings(level=1) == [lint.title]
    assert [(code(row[0]), row[1]) for row in rows(page.text)] == [(lint.code, lint.severity.value)]
    assert page.headings(level=2) == ["What", "Why", "How to mend it"]


@EVERY_LINT
def test_the_bad_example_has_this_finding_alone_and_the_good_one_none(lint: Lint) -> None:
    bad, good = (block.text for block in Page(lint.page).blocks("yaml"))

    assert (found_in(bad), found_in(good)) == ({lint.code}, set())
