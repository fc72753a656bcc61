"""docs/reference/policy-reports.md and `broker policies report` say the same."""

import re
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from broker.cli.policies import app
from broker.cli.policies.report_command import WITHIN
from broker.cli.policies.word_list import NONE
from broker.core.policy_reports.over_broad import FEW, MAX_PROPOSED, Breadth
from broker.core.policy_reports.report_name import ReportName
from broker.core.policy_reports.seen_values import MAX_LENGTH, MAX_VALUES
from broker.core.policy_reports.sub_form import MAX_REPOSITORIES
from broker.core.simulation.report_markdown import MAX_CHARACTERS
from tests.core.builders import NOW, a_policy
from tests.core.policy_reports.reporting_of import reported
from tests.core.simulation.recording import recorded, then
from tests.docs.markdown import Page, code, rows

PAGE = Page("docs/reference/policy-reports.md")


def whole_report() -> dict[str, Any]:
    """A report in which each part has something."""
    files = then(
        a_policy("web", {"sub": "repo:acme/web:ref:refs/heads/main"}, expires_at=float(NOW + 60)),
        a_policy("too", {"repository": "acme/web", "sub": "repo:acme/web:ref:refs/heads/main"}),
        a_policy("old", {"repository": "acme/old"}),
        a_policy("older", {"repository": "acme/old", "ref": "refs/heads/x"}),
    )
    return reported(files, recorded(files)).as_json()


def words(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def members_of(found: Any) -> set[str]:
    """Name every member of a report, at any depth."""
    if isinstance(found, dict):
        return set(found).union(*(members_of(each) for each in found.values()))
    return set().union(*map(members_of, found)) if isinstance(found, list) else set()


def test_every_option_is_on_the_page() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    options = {each.opts[0] for each in group.commands["report"].params}
    named = {word for row in rows(PAGE.section("Options")) for word in words(row[0])}

    assert named == {each for each in options if each.startswith("--")}


@pytest.mark.parametrize(("option", "default"), [("--within", WITHIN), ("--fail-on", NONE)])
def test_the_defaults_are_those_of_the_command(option: str, default: str) -> None:
    [row] = [row for row in rows(PAGE.section("Options")) if option in words(row[0])]

    assert code(row[1]) == default


def test_every_report_is_on_the_page() -> None:
    named = {word for row in rows(PAGE.section("Reports")) for word in words(row[0])}

    assert named == set(ReportName)


def test_every_member_is_on_the_page() -> None:
    report = whole_report()
    passed_over = set(report["read"].pop("passed_over"))

    assert all(report[name.replace("-", "_")] for name in ReportName)
    assert members_of(report) - passed_over <= words(PAGE.section("JSON"))


def test_every_breadth_is_on_the_page() -> None:
    assert set(Breadth) <= words(PAGE.section("JSON"))


@pytest.mark.parametrize(
    "number", [FEW, MAX_PROPOSED, MAX_VALUES, MAX_LENGTH, MAX_REPOSITORIES, MAX_CHARACTERS]
)
def test_every_bound_is_named(number: int) -> None:
    assert f"{number:,} " in PAGE.text
