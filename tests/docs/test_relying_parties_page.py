"""docs/guides/relying-parties.md shows the configuration that the tests run, and their services."""

from pathlib import Path

import pytest
import yaml

from tests.docs.markdown import ROOT, Page
from tests.parties.broker_at_work import POLICIES

PAGE = Page("docs/guides/relying-parties.md")
EXAMPLES = sorted((ROOT / "examples/services").rglob("*.conf"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_configuration_is_that_of_the_example(example: Path) -> None:
    texts = [block.text for block in PAGE.blocks() if block.language in ("apache", "ini")]

    assert len(texts) == len(EXAMPLES)
    assert example.read_text() in texts


def test_the_services_are_those_that_the_tests_have() -> None:
    tested = yaml.safe_load(POLICIES)["services"]
    for block in PAGE.blocks("yaml"):
        for name, service in yaml.safe_load(block.text)["services"].items():
            assert service == tested[name]
