"""The actions' descriptions, their README and their code say the same, and all are sound."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.checkers import check_schema, check_weaknesses
from tests.docs.markdown import ROOT, Page, code, pages, rows

ACTIONS = ROOT / "actions"
README = Page("actions/README.md")
NAMES = ["token", "explain", "policy-check"]
JAVASCRIPT = ["token", "explain"]


def described(action: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ACTIONS / action / "action.yml").read_text())
    return document


def documented(kind: str, action: str) -> dict[str, list[str]]:
    return {code(row[0]): row for row in rows(README.section(f"{kind} of {action}"))}


def outputs_in_the_code(action: str) -> list[str]:
    main = (ACTIONS / action / "main.mjs").read_text()
    (written,) = re.findall(r"const OUTPUTS = \[(.*?)\];", main, re.DOTALL)
    return re.findall(r'"([a-z-]+)"', written)


def test_every_action_is_looked_at() -> None:
    assert {each.parent.name for each in ACTIONS.glob("*/action.yml")} == set(NAMES)
    assert [code(row[0]) for row in rows(README.text)[:3]] == [f"actions/{name}" for name in NAMES]


@pytest.mark.parametrize("action", NAMES)
def test_the_inputs_are_the_same_everywhere(action: str) -> None:
    # That the code reads these and no others, with these defaults: actions/tests/drift.test.mjs.
    assert list(documented("Inputs", action)) == list(described(action)["inputs"])


@pytest.mark.parametrize("action", NAMES)
def test_defaults_and_what_is_required_are_told(action: str) -> None:
    for name, row in documented("Inputs", action).items():
        given = described(action)["inputs"][name]
        assert (row[1] == "required") == given.get("required", False)
        if given.get("default"):
            assert row[1] == f"`{given['default']}`"


@pytest.mark.parametrize("action", NAMES)
def test_the_outputs_are_the_same_everywhere(action: str) -> None:
    assert list(documented("Outputs", action)) == list(described(action)["outputs"])


@pytest.mark.parametrize("action", JAVASCRIPT)
def test_the_outputs_are_those_of_the_code(action: str) -> None:
    assert outputs_in_the_code(action) == list(described(action)["outputs"])


def test_the_outputs_of_the_check_are_those_that_it_writes() -> None:
    written = re.findall(
        r'^ {8}"([a-z-]+)": ', (ACTIONS / "policy-check/check.py").read_text(), re.MULTILINE
    )

    assert written == list(described("policy-check")["outputs"])
    for name, output in described("policy-check")["outputs"].items():
        assert output["value"] == f"${{{{ steps.check.outputs.{name} }}}}"


def test_the_check_reads_the_inputs_that_are_handed_over() -> None:
    handed_over = {
        name: value
        for step in described("policy-check")["runs"]["steps"]
        for name, value in step["env"].items()
    }
    files = "".join(
        (ACTIONS / "policy-check" / each).read_text() for each in ("install.sh", "check.py")
    )

    assert set(re.findall(r"POLICY_CHECK_[A-Z]+", files)) == set(handed_over)
    inputs = described("policy-check")["inputs"]
    assert sorted(handed_over.values()) == sorted(f"${{{{ inputs.{name} }}}}" for name in inputs)


def test_no_expression_is_written_into_a_script() -> None:
    for step in described("policy-check")["runs"]["steps"]:
        assert "${{" not in step["run"]


def test_the_formats_are_those_of_the_code() -> None:
    formats = (ACTIONS / "lib/formats.mjs").read_text()
    in_the_code = re.findall(r'^  "?([a-z-]+)"?: \{', formats, re.MULTILINE)

    assert [code(row[0]) for row in rows(README.section("Files"))] == in_the_code
    description = described("token")["inputs"]["format"]["description"]
    assert all(each in description for each in in_the_code)


def test_the_actions_run_on_a_node_that_the_tests_run_on() -> None:
    assert described("token")["runs"] == {"using": "node24", "main": "main.mjs", "post": "post.mjs"}
    assert described("explain")["runs"] == {"using": "node24", "main": "main.mjs"}
    assert "versions.node.split" in (ROOT / "scripts/setup").read_text()
    assert "< 24" in (ROOT / "scripts/setup").read_text()


def test_the_code_imports_nothing_but_node_and_itself() -> None:
    files = [file for folder in ("lib", *JAVASCRIPT) for file in (ACTIONS / folder).glob("*.mjs")]
    imported = {
        name
        for file in files
        for name in re.findall(r'(?:from|import)\s*\(?"([^"]+)"', file.read_text())
    }

    assert {name for name in imported if not name.startswith(("node:", "./", "../lib/"))} == set()


def test_nothing_is_bound_to_one_github() -> None:
    for file in (*ACTIONS.glob("*/*.mjs"), *ACTIONS.glob("policy-check/*")):
        if "tests" not in file.parts:
            assert "github.com" not in file.read_text()


def test_a_person_is_told_by_the_same_claims_as_in_the_broker() -> None:
    def names(file: Path) -> set[str]:
        (listed,) = re.findall(
            r"(?:NAMES: Final = frozenset\(\{|const PERSONAL = new Set\(\[)(.*?)[\]}]\)",
            file.read_text(),
            re.DOTALL,
        )
        return set(re.findall(r'"([a-z_]+)"', listed))

    assert names(ACTIONS / "lib/claims.mjs") == names(ROOT / "broker/core/personal_claims.py")


def test_the_pages_that_failures_name_are_there() -> None:
    files = "".join(file.read_text() for file in (ACTIONS / "lib").iterdir())
    files = files.replace("${GUIDE}", "docs/guides/github-actions.md")
    named = set(re.findall(r"((?:docs|actions)/[\w/-]+\.md)(?:#([a-z-]+))?", files))
    known = {page.path: page for page in pages()}

    assert len(named) > 3
    for path, anchor in named:
        assert not anchor or anchor in known[path].anchors()


@pytest.mark.parametrize("action", NAMES)
def test_the_actions_fit_githubs_schema(action: str) -> None:
    check_schema("vendor.github-actions", ACTIONS / action / "action.yml")


def test_the_actions_have_no_known_weakness() -> None:
    check_weaknesses(ACTIONS)


@pytest.mark.parametrize("file", sorted((ROOT / ".github/workflows").iterdir()), ids=str)
def test_the_projects_own_workflows_fit_githubs_schema(file: Path) -> None:
    check_schema("vendor.github-workflows", file)
