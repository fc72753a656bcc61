"""A document recalled from its outline is the document, and is hardly ever read again."""

import pytest

from broker.yaml_document import Document, Path, outline, read, recall
from broker.yaml_document.document import Tree

TEXT = """\
# what is allowed
policies:
  main: {match: {ref: main, "a b": [1, {glob: "x*"}]}}
  other:
    issuer: github

tests:
- name: first
  claims: {none: null, big: 123456789012345678901234567890}
-   name: zweiter Ö
- nested
empty:
scalar: true
"""


def paths_in(value: Tree, path: Path = ()) -> list[Path]:
    found = [path, (*path, "absent"), (*path, 99)]
    if isinstance(value, dict):
        for key, item in value.items():
            found += paths_in(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += paths_in(item, (*path, index))
    return found


def never(_text: str | bytes, file: str) -> Document:
    raise AssertionError(f"{file} was read again")


@pytest.mark.parametrize("text", [TEXT, TEXT.encode(), "", "a: []\nb: {}\n"])
def test_a_recalled_document_is_the_document(text: str | bytes) -> None:
    document = read(text, "a.yaml")
    recalled = recall(outline(document), text, "b.yaml", read)

    assert recalled.value == document.value
    assert recalled.lines == document.lines
    assert recalled.file == "b.yaml"
    for path in paths_in(document.value):
        assert recalled.place(path) == document.place(path), path
        assert recalled.key_place(path) == document.key_place(path), path


def test_the_places_of_entries_are_told_without_reading() -> None:
    document = read(TEXT, "a.yaml")
    recalled = recall(outline(document), TEXT, "a.yaml", never)

    assert recalled.key_place(("policies", "other")) == (4, 3)
    assert recalled.place(("tests", 1)) == recalled.key_place(("tests", 1)) == (10, 5)


def test_the_text_is_read_once_for_all_other_places() -> None:
    readings: list[str] = []

    def counting(text: str | bytes, file: str) -> Document:
        readings.append(file)
        return read(text, file)

    recalled = recall(outline(read(TEXT, "a.yaml")), TEXT, "a.yaml", counting)

    assert str(recalled.problem(("policies", "other", "issuer"), "no")) == "a.yaml:5:13: no"
    assert recalled.place(("policies",)) == (3, 3)
    assert readings == ["a.yaml"]
