"""The comments of a YAML file, told apart from a `#` inside a value."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from broker.yaml_document.document import Document


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment: where its `#` stands, line and column from 1, and its text from there on."""

    line: int
    column: int
    text: str


def comments_with(document: Document, words: str) -> Iterator[Comment]:
    """Yield the comments that hold these words, in the order of lines.

    A comment behind the `|` or `>` that begins a block of text is passed over.
    """
    wanted = [
        number
        for number, line in enumerate(document.lines, start=1)
        if "#" in line and words in line
    ]
    if not wanted:
        return
    scalars = _scalars(document)
    for number in wanted:
        line = document.lines[number - 1]
        start = _comment_start(line, scalars[number])
        if start is not None and words in line[start:]:
            yield Comment(number, start + 1, line[start:])


def _comment_start(line: str, scalars: list[tuple[int, int]]) -> int | None:
    """Find the first `#` at the beginning or behind a space that is in no scalar."""
    position = line.find("#")
    while position >= 0:
        inside = any(start <= position < end for start, end in scalars)
        if not inside and (position == 0 or line[position - 1] == " "):
            return position
        position = line.find("#", position + 1)
    return None


def _scalars(document: Document) -> dict[int, list[tuple[int, int]]]:
    """Give, by line, the columns that scalars fill: from the first one to before the second."""
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for token in yaml.scan("\n".join(document.lines), Loader=yaml.CSafeLoader):
        if isinstance(token, yaml.ScalarToken):
            first, last = token.start_mark, token.end_mark
            for line in range(first.line, last.line + 1):
                start = first.column if line == first.line else 0
                end = last.column if line == last.line else len(document.lines[line])
                found[line + 1].append((start, end))
    return found
