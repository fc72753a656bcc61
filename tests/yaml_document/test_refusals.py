"""What strict YAML refuses: where, and what it says to write (attacks rows 79-84, 86)."""

import pytest

from broker.core.errors import ConfigurationError, Problem
from broker.yaml_document import MAX_BYTES, MAX_DEPTH, read
from tests.yaml_document.marked import places_of, split_marks


def problems_of(text: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as caught:
        read(text, "f.yaml")
    return caught.value.problems


@pytest.mark.parametrize(
    ("marked", "word"),
    [
        # row 79
        pytest.param("a: ►!!str 1", "tag", id="a tag"),
        pytest.param('a: ►!!python/object/apply:os.system ["id"]', "tag", id="a python tag"),
        pytest.param("a: ►! x", "tag", id="the tag without a name"),
        pytest.param("a: ►!local {b: c}", "tag", id="a local tag"),
        pytest.param("►!!map\na: b", "tag", id="a tag of the whole file"),
        # rows 80, 81
        pytest.param("a: ►&x 1", "anchor", id="an anchor"),
        pytest.param("a: ►&x [►*x]", "alias", id="an alias"),
        pytest.param("a: ►&x 1\n►►*x : 2", "key: value", id="an alias as key"),
        pytest.param("a:\n  ►<<: {b: c}", "merge key", id="a merge key"),
        # row 82
        pytest.param("a: 1\nb: 2\n►a: 3", "first in line 1", id="a duplicate key"),
        pytest.param("a: {b: 1, ►b: 2}", "twice", id="a duplicate key in flow style"),
        pytest.param("a: 1\n►'a': 3", "twice", id="a duplicate key in quotes"),
        # row 83
        pytest.param("a: ►no", 'quote it: "no"', id="no"),
        pytest.param("a: ►Yes", "write true", id="Yes"),
        pytest.param("a: ►ON", "true", id="ON"),
        pytest.param("a: ►off", "write false", id="off"),
        pytest.param("a: [►y, ►N]", "quote it", id="single letters"),
        pytest.param("►on: push", 'quote it: "on"', id="on as key"),
        pytest.param("►true: push", 'quote it: "true"', id="true as key"),
        pytest.param("►1: push", 'quote it: "1"', id="a number as key"),
        pytest.param("►null: push", "quote it", id="null as key"),
        pytest.param("►: push", "not YAML", id="nothing as key"),
        pytest.param("►'': push", "empty key", id="an empty key"),
        pytest.param("? ►[a]\n: b", "key: value", id="a list as key"),
        pytest.param("? ►{a: b}\n: c", "key: value", id="a mapping as key"),
        pytest.param("a: ►012", "octal", id="a leading zero"),
        pytest.param("a: ►-012", "octal", id="a leading zero behind a sign"),
        pytest.param("a: ►0x1f", "base", id="hexadecimal"),
        pytest.param("a: ►0o17", "base", id="octal"),
        pytest.param("a: ►0b11", "base", id="binary"),
        pytest.param("a: ►1_000", "`_`", id="a grouped number"),
        pytest.param("a: ►1:30", "base 60", id="a number to base 60"),
        pytest.param("a: ►12:30:45", "base 60", id="a time"),
        pytest.param("a: ►2027-06-30", 'quote it: "2027-06-30"', id="a date"),
        pytest.param("a: ►2027-06-30T10:00:00Z", "date", id="an instant"),
        pytest.param("a: ►1.5", "fraction", id="a fraction"),
        pytest.param("a: ►1234e56", "exponent", id="a commit that looks like a number"),
        pytest.param("a: ►.inf", "fraction", id="infinity"),
        pytest.param("a: ►.NaN", "fraction", id="not a number"),
        pytest.param("a: ►+5", "sign", id="a plus sign"),
        pytest.param("a: ►-0", "sign", id="minus zero"),
        pytest.param(f"a: ►{'1' * 65}", "digits", id="a number without end"),
        # row 86
        pytest.param("a: 1\n►---\nb: 2", "second document", id="a second document"),
        pytest.param("►%YAML 1.1\n---\na: 1", "directive", id="a directive"),
        pytest.param("►\ufeffa: 1", "byte order mark", id="a byte order mark"),
        pytest.param("a:\n►\tb: 1", "spaces", id="a tab for indentation"),
        pytest.param("a: 1 #►\tcomment", "spaces", id="a tab in a comment"),
        pytest.param("a: 1►\r\nb: 2►\r\n", "LF", id="carriage returns"),
        pytest.param("a: x►\u202e", "U+202E", id="a bidi override"),
        pytest.param("a: x►\u2066y", "U+2066", id="a bidi isolate"),
        pytest.param("# x►\u200by", "U+200B", id="a zero-width space in a comment"),
        pytest.param("a: x►\u00a0y", "U+00A0", id="a no-break space"),
        pytest.param("a: x►\u0085", "U+0085", id="a next line"),
        pytest.param("a: x►\u2028y", "U+2028", id="a line separator"),
        pytest.param("a: x►\x00", "U+0000", id="a null character"),
        pytest.param("a: x►\x1b[31m", "U+001B", id="an escape sequence"),
        pytest.param("a: x►\ufe0f", "U+FE0F", id="a variation selector"),
        pytest.param("a: x►\u3164", "U+3164", id="a filler"),
        pytest.param("a: x►\U000e0041", "U+E0041", id="a tag character"),
        pytest.param("a: x►\ud800", "U+D800", id="a lone surrogate"),
        pytest.param('a: ►"x\\u202ey"', "U+202E", id="an escaped bidi override"),
        pytest.param('a: ►"x\\0"', "U+0000", id="an escaped null character"),
        # what is no mapping, or no YAML
        pytest.param("►- a", "mapping", id="a list at the top"),
        pytest.param("►text", "mapping", id="a text at the top"),
        pytest.param("►~", "mapping", id="null at the top"),
        pytest.param("a: b►: c", "not YAML", id="two colons"),
        pytest.param("a: [b\n►", "that begins at 1:4", id="an open bracket"),
        pytest.param("a: 'b\n►", "that begins at 1:4", id="an open quote"),
        pytest.param('"\\u►d800": a', "not YAML", id="an escaped surrogate"),
    ],
)
def test_a_surprise_is_refused_where_it_stands(marked: str, word: str) -> None:
    text, expected = split_marks(marked)

    problems = problems_of(text)

    assert places_of(problems) == expected
    assert word in problems[-1].message


def test_all_problems_of_a_file_are_reported_at_once() -> None:
    text, expected = split_marks("a: ►no\n►on: ►&x {b: ►012}\nb: 1\n►b: ►0x1f\nc: fine\n")

    assert places_of(problems_of(text)) == expected


def test_bytes_that_are_not_utf_8_are_refused_at_the_first_of_them() -> None:
    problem = problems_of("a: 1\nb: ä".encode() + b"\xff")[0]

    assert (problem.line, problem.column) == (2, 5)
    assert "UTF-8" in problem.message


def test_utf_16_is_refused() -> None:
    assert "UTF-8" in problems_of("a: 1".encode("utf-16"))[0].message


def test_a_file_over_the_limit_is_refused_before_it_is_read() -> None:
    problem = problems_of(b"[" * (MAX_BYTES + 1))[0]

    assert str(problem).startswith(f"f.yaml: the file is larger than {MAX_BYTES} bytes; split")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_nesting_without_end_is_refused_at_the_limit(opening: str) -> None:
    problems = problems_of(opening * 200_000)

    assert "nested deeper than 32" in problems[-1].message
    assert problems[-1].column == MAX_DEPTH * len(opening) + 1 or opening == "? "


def test_a_thousand_problems_are_cut_to_what_a_person_reads() -> None:
    problems = problems_of("a: [" + "no, " * 1000 + "]")

    assert len(problems) == 51
    assert problems[-1].message == "and 950 more problems in this file"


def test_a_long_word_is_cut_in_the_message() -> None:
    assert "…" in problems_of(f"{'a' * 500}: 1\n{'a' * 500}: 2\n")[0].message
