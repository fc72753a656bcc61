"""The page of the reference and the table of keys say the same."""

import re
from pathlib import Path

import pytest
import yaml

from broker.settings import KEYS
from broker.settings.kinds import Key
from broker.settings.unknown import CLIENT_VARIABLES
from tests.settings.home import Home

PAGE = Path(__file__).parents[2] / "docs/reference/configuration.md"
ROW = re.compile(r"\| `([a-z_.]+)` \| (.+?) \| (.+?) \| `(BROKER_\w+)` \| (.+) \|")


def rows() -> dict[str, re.Match[str]]:
    found = [ROW.fullmatch(line) for line in PAGE.read_text().splitlines()]
    return {each[1]: each for each in found if each is not None}


def test_every_key_has_a_row_and_every_row_is_a_key() -> None:
    assert list(rows()) == [".".join(key.path) for key in KEYS]


def test_every_row_names_the_variable() -> None:
    assert [row[4] for row in rows().values()] == [key.variable for key in KEYS]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.variable)
def test_every_row_names_the_default(key: Key[object]) -> None:
    default = rows()[".".join(key.path)][3]

    if default.startswith("`") and default.endswith("`"):
        assert key.accept(yaml.safe_load(default.strip("`"))) == key.default
    else:
        assert key.default is None


def test_every_client_variable_is_named() -> None:
    page = PAGE.read_text()

    assert [name for name in sorted(CLIENT_VARIABLES) if f"`{name}`" not in page] == []


def test_the_example_of_the_page_loads(home: Home) -> None:
    example = PAGE.read_text().partition("```yaml\n")[2].partition("```")[0]
    (home.path / "data").mkdir()
    (home.path / "data/master.key").write_text("")

    home.load(example)
