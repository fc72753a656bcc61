"""docs/reference/simulations.md and `broker policies simulate` say the same."""

import re

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from broker.cli.policies import app
from broker.core.simulation.outcome import Kind
from broker.core.simulation.past_decision import PassedOver
from broker.core.simulation.report_markdown import MAX_CHARACTERS
from broker.core.simulation.tally import MAX_GROUPS
from broker.reload.candidate import MAX_EVENTS, MAX_SECONDS
from tests.core.builders import a_policy
from tests.core.simulation.recording import now, recorded, simulated, then
from tests.docs.markdown import Page, code, rows

PAGE = Page("docs/reference/simulations.md")
REPORT = simulated(now(), recorded(then(a_policy("web")))).as_json()


def named(heading: str, table: int = 0) -> list[str]:
    """Give the words in the first column of a table of a section."""
    tables: list[list[list[str]]] = [[]]
    for row in rows(PAGE.section(heading)):
        if row[0] in ("Member", "Kind", "Option"):
            tables.append([])
            continue
        tables[-1].append(row)
    return [word for row in tables[table] for word in re.findall(r"`([^`]+)`", row[0])]


def test_every_option_is_on_the_page() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    options = {each.opts[0] for each in group.commands["simulate"].params}

    assert set(named("Options")) == {each for each in options if each.startswith("--")}


def test_every_kind_and_every_event_passed_over_is_on_the_page() -> None:
    assert set(named("Kinds")) == set(Kind)
    assert set(named("What is decided again")) == set(PassedOver)


def test_every_member_is_on_the_page() -> None:
    members = set(REPORT) | {"notes"}
    change = set(REPORT["groups"][0])
    text = PAGE.section("JSON")
    report, of_change = text.split("Of a change:")

    def first_cells(part: str) -> set[str]:
        return {word for row in rows(part) for word in re.findall(r"`([^`]+)`", row[0])}

    assert first_cells(report) == members
    assert first_cells(of_change) == change


@pytest.mark.parametrize(
    ("number", "page"),
    [
        (MAX_GROUPS, "docs/reference/simulations.md"),
        (MAX_CHARACTERS, "docs/reference/simulations.md"),
        (MAX_EVENTS, "docs/reference/http.md"),
        (int(MAX_SECONDS), "docs/reference/http.md"),
    ],
)
def test_every_bound_is_named(number: int, page: str) -> None:
    assert f"{number:,}" in Page(page).text


def test_the_default_of_fail_on_is_that_of_the_command() -> None:
    from broker.cli.policies.simulate_command import FAIL_ON  # noqa: PLC0415

    [row] = [row for row in rows(PAGE.section("Options")) if code(row[0]) == "--fail-on"]
    assert code(row[1]) == FAIL_ON
