"""The action's description, its README and its code say the same, and both are sound."""

import re
from pathlib import Path

import pytest
import yaml

from tests.docs.checkers import check_schema
from tests.docs.markdown import ROOT, Page, code, rows

ACTION = ROOT / "actions/token/action.yml"
README = Page("actions/README.md")
described = yaml.safe_load(ACTION.read_text())


def code_of_the_action() -> str:
    return (ROOT / "actions/token/main.mjs").read_text()


def inputs_in_the_code() -> set[str]:
    return set(re.findall(r'[iI]nput\(env, "([a-z-]+)"\)', code_of_the_action()))


def outputs_in_the_code() -> list[str]:
    (written,) = re.findall(
        r"setOutputs\(env.GITHUB_OUTPUT, \{(.*?)\}\)", code_of_the_action(), re.DOTALL
    )
    return re.findall(r'^ *"?([a-z-]+)"?:', written, re.MULTILINE)


def test_the_inputs_are_the_same_everywhere() -> None:
    documented = [code(row[0]) for row in rows(README.section("Inputs"))]

    assert documented == list(described["inputs"])
    assert set(documented) == inputs_in_the_code()


def test_required_inputs_are_called_required() -> None:
    documented = {code(row[0]): row[1] == "required" for row in rows(README.section("Inputs"))}

    assert documented == {
        name: given.get("required", False) for name, given in described["inputs"].items()
    }


def test_the_outputs_are_the_same_everywhere() -> None:
    documented = [code(row[0]) for row in rows(README.section("Outputs"))]

    assert documented == list(described["outputs"]) == outputs_in_the_code()


def test_the_action_runs_on_a_node_that_the_tests_run_on() -> None:
    assert described["runs"] == {"using": "node24", "main": "main.mjs"}
    assert "versions.node.split" in (ROOT / "scripts/setup").read_text()
    assert "< 24" in (ROOT / "scripts/setup").read_text()


def test_the_code_imports_nothing_but_node_and_itself() -> None:
    files = [*(ROOT / "actions/lib").iterdir(), *(ROOT / "actions/token").glob("*.mjs")]
    imported = {
        name
        for file in files
        for name in re.findall(r'(?:from|import)\s*\(?"([^"]+)"', file.read_text())
    }

    assert {name for name in imported if not name.startswith(("node:", "./", "../lib/"))} == set()


def test_the_action_fits_githubs_schema() -> None:
    check_schema("vendor.github-actions", ACTION)


@pytest.mark.parametrize("file", sorted((ROOT / ".github/workflows").iterdir()), ids=str)
def test_the_projects_own_workflows_fit_githubs_schema(file: Path) -> None:
    check_schema("vendor.github-workflows", file)
