"""docs/performance.md shows what `make bench` measures, and says how to run it."""

import re

import pytest

from tests.docs.markdown import ROOT, Page

PAGE = Page("docs/performance.md")
MAKEFILE = (ROOT / "Makefile").read_text()
[RECIPE] = re.findall(r"^bench:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
MODULES = re.findall(r"-m bench\.(\w+)", RECIPE)
SOURCES = {path.name: path.read_text() for path in (ROOT / "bench").glob("*.py")}


def test_the_page_names_the_command() -> None:
    assert "make bench\n" in "".join(block.text for block in PAGE.blocks("sh"))


def test_the_map_of_the_documentation_leads_to_the_page() -> None:
    assert "performance.md" in Page("docs/README.md").links()


@pytest.mark.parametrize("module", MODULES)
def test_the_page_names_what_the_command_runs(module: str) -> None:
    assert (ROOT / "bench" / f"{module}.py").is_file()
    assert f"`bench/{module}.py`" in PAGE.text


def test_every_variable_that_shortens_the_measurement_is_named_with_its_default() -> None:
    read = {
        found
        for text in SOURCES.values()
        for found in re.findall(r'environ\.get\("(BENCH_\w+)", "(\d+)"\)', text)
    }

    assert read
    assert {each for each in read if f"`{each[0]}` ({each[1]})" not in PAGE.text} == set()


def test_every_table_of_policies_is_on_the_page() -> None:
    titles = re.findall(r'tell\(\s*"([^"]+)"', SOURCES["bench_policies.py"])

    assert titles
    assert [title for title in titles if title not in PAGE.section("Policies")] == []
