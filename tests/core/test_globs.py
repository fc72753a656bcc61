"""The truth table of globs (attacks rows 60-65, 68)."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.core.globs import (
    MAX_PATTERN_LENGTH,
    PatternRefused,
    compile_regex,
    glob_matches,
    literal_prefix,
)

STAR_STOPS_AT = "/:@"


@pytest.mark.parametrize(
    ("glob", "text"),
    [
        ("main", "main"),
        ("", ""),
        ("release/*", "release/1.2"),
        ("release/*", "release/"),
        ("*", ""),
        ("*", "main"),
        ("refs/heads/*", "refs/heads/x"),
        ("refs/*/main", "refs/heads/main"),
        ("acme/**", "acme/a/b/c"),
        ("acme/**", "acme/"),
        ("**", ""),
        ("**", "a/b:c@d\ne"),
        ("**/main", "a/b/main"),
        ("a**z", "az"),
        ("a**z", "a/:@z"),
        ("a***z", "a/x:yz"),
        ("v?", "v1"),
        ("v??", "vé1"),
        ("v?", "v\n"),
        ("*.yml@**", "deploy.yml@refs/heads/main"),
        ("[ab]pp", "[ab]pp"),
        ("a.b+c(d)|e^f$g\\h{1}", "a.b+c(d)|e^f$g\\h{1}"),
        ("with space\tand\x00", "with space\tand\x00"),
        ("Ünï*", "Ünïcode"),
    ],
)
def test_a_glob_matches(glob: str, text: str) -> None:
    assert glob_matches(glob, text)


@pytest.mark.parametrize(
    ("glob", "text"),
    [
        pytest.param("refs/heads/*", "refs/heads/feature/x", id="a star stops at a slash"),
        pytest.param("repo:acme/*", "repo:acme/web:ref:x", id="a star stops at a colon"),
        pytest.param("acme/*", "acme/web@1", id="a star stops at an at sign"),
        pytest.param(
            "repo:acme/*:ref:refs/heads/main",
            "repo:acme/x:environment:y:ref:refs/heads/main",
            id="a star does not swallow a segment of a sub",
        ),
        pytest.param("a?b", "a/b", id="a question mark is no slash"),
        pytest.param("a?b", "a:b", id="a question mark is no colon"),
        pytest.param("a?b", "a@b", id="a question mark is no at sign"),
        pytest.param("a?", "a", id="a question mark is one character"),
        pytest.param("a?", "abc", id="a question mark is only one character"),
        pytest.param("main", "Main", id="case counts"),
        pytest.param("main", "main ", id="a trailing space counts"),
        pytest.param("main", " main", id="a leading space counts"),
        pytest.param("main", "main\n", id="a trailing newline counts"),
        pytest.param("main*", "xmain", id="the beginning is anchored"),
        pytest.param("*main", "mainx", id="the end is anchored"),
        pytest.param("[ab]pp", "app", id="brackets are no class"),
        pytest.param("a.c", "abc", id="a dot is a dot"),
        pytest.param("a|b", "a", id="a bar is a bar"),
        pytest.param("acme/*", "acme-evil/x", id="a prefix is not a segment"),
        pytest.param("", "x", id="the empty glob matches only the empty text"),
        pytest.param("{a,b}", "a", id="braces are literal"),
        pytest.param("!a", "b", id="an exclamation mark negates nothing"),
    ],
)
def test_a_glob_does_not_match(glob: str, text: str) -> None:
    assert not glob_matches(glob, text)


@pytest.mark.parametrize(
    ("glob", "prefix"),
    [
        ("acme/web", "acme/web"),
        ("acme/*", "acme/"),
        ("acme/w?b*", "acme/w"),
        ("*", ""),
        ("?a", ""),
        ("a**", "a"),
        ("", ""),
    ],
)
def test_the_literal_prefix_ends_before_the_first_wildcard(glob: str, prefix: str) -> None:
    assert literal_prefix(glob) == prefix


def brute_force(glob: str, text: str) -> bool:
    """The contract's sentence about globs, word by word."""
    if not glob:
        return not text
    if glob.startswith("**"):
        return any(brute_force(glob[2:], text[i:]) for i in range(len(text) + 1))
    if glob[0] == "*":
        run = len(text) - len(text.lstrip(text.translate(dict.fromkeys(map(ord, STAR_STOPS_AT)))))
        return any(brute_force(glob[1:], text[i:]) for i in range(run + 1))
    if not text:
        return False
    fits = text[0] not in STAR_STOPS_AT if glob[0] == "?" else text[0] == glob[0]
    return fits and brute_force(glob[1:], text[1:])


GLOBS = st.lists(st.sampled_from(["*", "**", "?", *"ab/:@.[\n\x00é"]), max_size=5).map("".join)


@settings(max_examples=400, deadline=None)
@given(GLOBS, st.text("ab/:@*.[\n\x00é", max_size=5))
@example("**b", "a")
@example("*b", "a/b")
def test_matching_agrees_with_the_definition(glob: str, text: str) -> None:
    assert glob_matches(glob, text) is brute_force(glob, text)


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_a_text_without_wildcards_matches_itself_alone(text: str) -> None:
    literal = text.replace("*", "").replace("?", "")

    assert glob_matches(literal, literal)
    assert not glob_matches(literal, literal + "x")


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=20), st.text("*?ab", max_size=10))
def test_what_matches_begins_with_the_literal_prefix(text: str, tail: str) -> None:
    glob = text + tail
    prefix = literal_prefix(glob)

    assert glob.startswith(prefix)
    assert not re.findall(r"[*?]", prefix)


def test_a_regex_must_match_the_whole_value() -> None:
    pattern = compile_regex("a|ab")

    assert pattern.fullmatch("ab")
    assert not pattern.fullmatch("abc")
    assert not compile_regex("^main$").fullmatch("main\n")


def test_folding_a_regex_is_asked_for() -> None:
    assert compile_regex("main", fold=True).fullmatch("MAIN")
    assert not compile_regex("main").fullmatch("MAIN")


@pytest.mark.parametrize(
    ("pattern", "cause"),
    [
        pytest.param("a)|(", "unexpected )", id="unbalanced on both sides"),
        pytest.param("(", "missing )", id="unbalanced"),
        pytest.param("(?=x)", "invalid perl operator", id="look-ahead"),
        pytest.param(r"(a)\1", "invalid escape sequence", id="back-reference"),
        pytest.param("a{1001}", "invalid repetition size", id="a large repetition"),
        pytest.param("((a{100}){100}){10}", "invalid repetition", id="a nested large repetition"),
        pytest.param(r"\pL{1000}\pN{1000}", "too large", id="a pattern of too many states"),
        pytest.param("a" * (MAX_PATTERN_LENGTH + 1), "longer than", id="a long pattern"),
    ],
)
def test_a_pattern_that_re2_does_not_take_is_refused(pattern: str, cause: str) -> None:
    with pytest.raises(PatternRefused, match=re.escape(cause)):
        compile_regex(pattern)


def test_a_pattern_of_the_greatest_length_is_taken() -> None:
    text = "a" * MAX_PATTERN_LENGTH

    assert compile_regex(text).fullmatch(text)


@pytest.mark.parametrize("unit", ["?", "*x", "**x", "é"])
def test_every_glob_up_to_the_greatest_length_is_taken(unit: str) -> None:
    count = MAX_PATTERN_LENGTH // len(unit)
    text = unit.replace("*", "").replace("?", "x") * count

    assert glob_matches(unit * count, text)


def test_a_refused_pattern_writes_nothing_to_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    for pattern in ("(", "[a-z]*x" * 1_000_000):
        with pytest.raises(PatternRefused):
            compile_regex(pattern)
    with pytest.raises(PatternRefused, match="longer than"):
        glob_matches("*x" * 1_000_000, "x")

    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("pattern", ["(a+)+$", "([a-z-]+)*:", "(a|a)*b", "(a|b)*a(a|b){14}"])
def test_a_pattern_that_backtracks_elsewhere_answers_on_a_long_value(pattern: str) -> None:
    assert not compile_regex(pattern).fullmatch("a" * 30 + "!" * 3000)


def test_a_pattern_too_large_for_a_table_of_states_still_answers_rightly() -> None:
    pattern = compile_regex("(a|b)*a(a|b){14}")
    text = "abbabaab" * 2000

    assert pattern.fullmatch(text + "a" + "b" * 14)
    assert not pattern.fullmatch(text + "b" * 15)
