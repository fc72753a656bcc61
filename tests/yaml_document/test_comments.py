"""Comments are told apart from a `#` inside a value."""

import pytest

from broker.yaml_document import Comment, comments_with, read


def found(text: str, words: str = "note") -> list[Comment]:
    return list(comments_with(read(text, "a.yaml"), words))


@pytest.mark.parametrize(
    ("text", "place", "comment"),
    [
        ("# note one\n", (1, 1), "# note one"),
        ("a: b # note\n", (1, 6), "# note"),
        ("a: b\n  # note\nc: d", (2, 3), "# note"),
        ("#note", (1, 1), "#note"),
        ("a: 'b # no' # note", (1, 13), "# note"),
        ('a: "b # no" # note', (1, 13), "# note"),
        ('"# no": b # note', (1, 11), "# note"),
        ("a: b#no # note", (1, 9), "# note"),
        ("a: [b, # note\n  c]", (1, 8), "# note"),
        ("a: {b: c} # x # note", (1, 11), "# x # note"),
        ("a: |\n  text\n# note\nb: c", (3, 1), "# note"),
        ("a:\n  b # note\n", (2, 5), "# note"),
        ("é: 'ü' # note", (1, 8), "# note"),
    ],
)
def test_a_comment_is_found(text: str, place: tuple[int, int], comment: str) -> None:
    assert found(text) == [Comment(*place, comment)]


@pytest.mark.parametrize(
    "text",
    [
        "a: 'b # note'",
        'a: "b # note"',
        "a: b#note",
        "a: |\n  text # note\n  # note\n",
        "a: >-\n  text\n\n  # note\nb: c",
        "a: 'one\n  # note\n  two'",
        "a: one\n  two#note\n  three",
        "'# note': b",
        "a: b # other\nnote: c",
        "note: '#'",
    ],
)
def test_a_sharp_inside_a_value_begins_no_comment(text: str) -> None:
    assert found(text) == []


def test_comments_come_by_line() -> None:
    text = "# note 1\na: b # note 2\n# other\nc: 'd # note'\n\n# note 3"

    assert [(each.line, each.text) for each in found(text)] == [
        (1, "# note 1"),
        (2, "# note 2"),
        (6, "# note 3"),
    ]
