"""Regexes of peers: the tree says what the regex does, by a second opinion."""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from broker.core.globs import PatternRefused, compile_regex
from broker.policy_imports.regex_reader import RegexNotRead, read_regex
from broker.policy_imports.regex_tree import (
    PRINTABLE,
    beginnings,
    has_limit,
    most_characters,
    sample,
    written,
)

ATOMS = st.sampled_from(
    ["a", "b", "/", ":", r"\.", ".", "[ab]", "[^a]", "[a-c/]", r"\d", r"\w", "[]a]", r"[\d-]", "-"]
)


def _grown(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    counts = st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}", "*?"])
    return st.one_of(
        st.lists(part, min_size=1, max_size=3).map("".join),
        st.lists(part, min_size=1, max_size=3).map(lambda each: f"({'|'.join(each)})"),
        st.tuples(part, counts).map(lambda each: f"(?:{each[0]}){each[1]}"),
    )


REGEXES = st.recursive(ATOMS, _grown, max_leaves=6)
TEXTS = st.text("ab/:.-1", max_size=6)


@settings(max_examples=300, deadline=None)
@given(REGEXES, TEXTS)
def test_what_is_written_admits_what_was_read(regex: str, text: str) -> None:
    tree = read_regex(regex)

    again = written(tree, unlimited=6, characters=lambda each: each.printable)

    assert (compile_regex(again).fullmatch(text) is not None) == (
        re.fullmatch(regex, text) is not None
    )


@settings(max_examples=300, deadline=None)
@given(REGEXES, TEXTS)
def test_whatever_matches_begins_as_told(regex: str, text: str) -> None:
    tree = read_regex(regex)
    if re.fullmatch(regex, text):
        assert any(
            text == start if whole else text.startswith(start) for start, whole in beginnings(tree)
        )
        assert len(text) <= most_characters(tree, unlimited=6)


@settings(max_examples=300, deadline=None)
@given(REGEXES)
def test_a_sample_matches(regex: str) -> None:
    tree = read_regex(regex)

    assert re.fullmatch(regex, sample(tree))
    assert all(re.fullmatch(regex, start) for start, whole in beginnings(tree) if whole)


@pytest.mark.parametrize(
    ("regex", "expected"),
    [
        ("", [("", True)]),
        ("^abc$", [("abc", True)]),
        ("^(a|b)$", [("a", True), ("b", True)]),
        ("a(b|c)d", [("abd", True), ("acd", True)]),
        ("a(b|c).*d", [("ab", False), ("ac", False)]),
        ("ab?c", [("ac", True), ("abc", True)]),
        ("a{2}b*", [("aa", False)]),
        ("(ab)+", [("ab", False)]),
        ("[a-h]{6}", [(each, False) for each in "abcdefgh"]),
        ("[a-h][a-h]", [(each, False) for each in "abcdefgh"]),
        ("x[a-z]{0,9}", [("x", False)]),
        (r"x\w", [("x", False)]),
    ],
)
def test_what_a_regex_begins_with(regex: str, expected: list[tuple[str, bool]]) -> None:
    assert beginnings(read_regex(regex)) == expected


@pytest.mark.parametrize("regex", ["a*", "(ab+)?", "a|b{2,}", "(a*){3}"])
def test_some_have_no_limit(regex: str) -> None:
    assert not has_limit(read_regex(regex))


def test_some_have_one() -> None:
    assert has_limit(read_regex("(a|b){2,5}c?"))


@pytest.mark.parametrize(
    ("regex", "told"),
    [
        ("(", "it is no regex"),
        ("a**", "it is no regex"),
        (r"\1", "it is no regex"),
        ("(?=a)", "it is no regex"),
        ("(?i)a", "a group with flags or a name"),
        ("(?P<n>a)", "a group with flags or a name"),
        ("a^b", "`^` in the middle"),
        ("a$b", "`$` in the middle"),
        ("(a$)", "`$` in the middle"),
        ("^a|b", "leaves the other side open"),
        ("a|b$", "leaves the other side open"),
        ("^(a|b)|c", "leaves the other side open"),
        ("a|^b", "`^` in the middle"),
        ("a{", "`{` in the middle"),
        ("a{1", "`{` in the middle"),
        ("a{12", "`{` in the middle"),
        ("a{1,2", "`{` in the middle"),
        ("a{01}", "`{` in the middle"),
        ("a{00}", "`{` in the middle"),
        ("a{1,02}", "`{` in the middle"),
        ("a{x}", "`{` in the middle"),
        ("a{,2}", "`{` in the middle"),
        ("a}", "`}` in the middle"),
        ("a]", "`]` in the middle"),
        ("a{256}", "more than 255 repetitions"),
        (r"\b", r"`\b`"),
        (r"\Qa\E", r"`\Q`"),
        (r"\x41", r"`\x`"),
        ("[[:alpha:]]", "a class by name"),
        (r"[\w-z]", "a range in a class that is none"),
        ("(" * 30 + ")" * 30, "groups are nested too deeply"),
        ("gr\u00f6\u00dfe", "characters beyond ASCII"),
    ],
)
def test_what_is_not_read_is_said(regex: str, told: str) -> None:
    with pytest.raises(RegexNotRead, match=re.escape(told)):
        read_regex(regex)


def test_a_hostile_nesting_is_followed_only_so_far() -> None:
    tree = read_regex("(" * 3 + "(a?){0,9}" + "){0,4}" * 3)

    assert beginnings(tree)
    assert most_characters(tree, unlimited=1) == 9 * 4**3


SIGNS = "ab[]()|*+?{}^$\\.-:,0123d"
ANY_REGEXES = st.one_of(
    st.text(SIGNS, max_size=12),
    st.lists(st.sampled_from([*SIGNS, "a{", "{0", "{01}", "{1,0", "[^", "[]", "(?:", "$)"])).map(
        "".join
    ),
)


@settings(max_examples=400, deadline=None)
@given(ANY_REGEXES, st.lists(st.text("ab{}01,-:", max_size=6), max_size=5))
def test_any_text_is_read_as_re2_reads_it_or_refused(regex: str, texts: list[str]) -> None:
    try:
        tree = read_regex(regex)
    except RegexNotRead:
        return
    assert PRINTABLE.issuperset(sample(tree)) or not sample(tree).isascii()
    again = written(tree, unlimited=6, characters=lambda each: each.printable)
    assume(has_room(again))
    for text in (*texts, regex, sample(tree), sample(tree)[:-1]):
        if len(text) <= 6 and PRINTABLE.issuperset(text):
            assert admits(again, text) == admits(regex, text), text


def has_room(regex: str) -> bool:
    """Whether RE2 takes it: braces within braces repeat too often at some point."""
    try:
        compile_regex(regex)
    except PatternRefused:
        return False
    return True


def admits(regex: str, text: str) -> bool:
    return compile_regex(regex).fullmatch(text) is not None
