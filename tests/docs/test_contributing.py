"""CONTRIBUTING.md, the Makefile and the layers of the code say the same."""

import re
import subprocess
import tomllib
from typing import Any

import pytest

from tests.docs.markdown import ROOT, Page, pages, rows

PAGE = Page("CONTRIBUTING.md")
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([a-z][a-z-]*):(?!=)", MAKEFILE, re.MULTILINE)
# The others call these; nobody types them.
SET_UP = {"server", "dev"}
EVERYWHERE = [
    *[page.path for page in pages()],
    ".github/workflows/ci.yml",
    ".ci/run",
    "scripts/setup",
    "scripts/lock",
    "examples/demo.py",
]


def make_help() -> str:
    return subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_help_lists_every_target_with_what_it_does() -> None:
    listed = dict(re.findall(r"^  ([a-z-]+) +(\S.+)$", make_help(), re.MULTILINE))

    assert list(listed) == TARGETS


def test_help_is_what_make_alone_shows() -> None:
    assert re.search(r"^\.DEFAULT_GOAL := help$", MAKEFILE, re.MULTILINE)


def test_no_target_is_taken_for_a_file() -> None:
    assert re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE) == TARGETS


def test_the_page_names_every_target() -> None:
    assert [name for name in TARGETS if f"make {name}" not in PAGE.text] == [
        name for name in TARGETS if name in {"demo", "run"} | SET_UP
    ]


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_make_command_in_a_page_is_a_target(path: str) -> None:
    text = (ROOT / path).read_text()
    # In code, at the start of a line or behind another command; prose has `make` as a verb.
    named = re.findall(r"(?:^|`|&& |exec )make ([a-z]+)\b", text, re.MULTILINE)

    assert [name for name in named if name not in TARGETS] == []


def test_ci_runs_what_a_developer_runs() -> None:
    assert "run: .ci/run\n" in (ROOT / ".github/workflows/ci.yml").read_text()
    assert (ROOT / ".ci/run").read_text().rstrip().endswith("exec make test")


def test_the_table_of_rooms_is_that_of_import_linter() -> None:
    configuration: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = [
        each
        for each in configuration["tool"]["importlinter"]["contracts"]
        if each["id"] == "layers"
    ]
    layers = [set(re.findall(r"\w+", layer)) for layer in contract["layers"]]

    assert [
        set(re.findall(r"`(\w+)`", row[0])) for row in rows(PAGE.section("The rooms"))
    ] == layers
