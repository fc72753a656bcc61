"""docs/reference/simulations.md and `broker policies simulate` say the same."""

import re
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from broker.cli.policies import app
from broker.core.indexed_policies import IndexedPolicies
from broker.core.observation import MAX_NAMED, Observation, Would
from broker.core.policy import Mode
from broker.core.simulation.observations import MAX_GROUPS as MAX_ALL_OF_ONE
from broker.core.simulation.observations import MAX_POLICIES, MAX_TENANTS, Observations
from broker.core.simulation.observations_text import WORDS, as_json
from broker.core.simulation.outcome import Kind, Outcome
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


# --- observed policies ----------------------------------------------------------------------------


def observed_rows(first: str) -> set[str]:
    """Give the words in the first column of a table about observed policies."""
    _, table = PAGE.section("Observed policies").split(f"| {first} |")
    lines = table.split("\n\n", 1)[0].splitlines()[2:]
    return {word for line in lines for word in re.findall(r"`([^`]+)`", line.split("|")[1])}


def observed_members() -> dict[str, Any]:
    taking = Observations(IndexedPolicies.of(then(a_policy("web", mode=Mode.OBSERVE))))
    return as_json(taking.report())


def test_every_option_of_observed_is_on_the_page() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    options = {each.opts[0] for each in group.commands["observed"].params}

    shared = set(named("Options"))
    assert observed_rows("Option of `observed`") == options - shared - {"paths"} | {"--fail-on"}
    assert shared <= options


def test_every_member_of_observed_is_on_the_page() -> None:
    members = observed_members()
    [policy] = members["policies"]

    assert observed_rows("Member of `observed`") == set(members) | {"notes"}
    assert observed_rows("Member of a policy") == set(policy)


def test_every_bound_of_observed_is_named() -> None:
    text = PAGE.section("Observed policies")
    for number in (MAX_ALL_OF_ONE, MAX_POLICIES, MAX_TENANTS, MAX_NAMED):
        assert f"{number:,}" in text
    assert all(f"`{word}`" in text for word in WORDS.values())


def test_every_member_of_would_is_on_the_page_of_the_audit() -> None:
    page = Page("docs/reference/audit.md").section("Observed policies")
    found = {word for row in rows(page) for word in re.findall(r"`([^`]+)`", row[0])}

    assert found - {"would"} == set(Observation(Would.SAME, Outcome(None)).members())
    assert all(f"`{each}`" in page for each in Would)
