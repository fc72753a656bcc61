"""What two globs say about each other, held against all short values."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.globs import glob_matches
from broker.core.policy_lint.glob_relations import (
    example_of,
    glob_covers,
    globs_meet,
    has_wildcard,
)

VALUES = ["".join(signs) for length in range(9) for signs in product("a/", repeat=length)]
GLOBS = st.lists(st.sampled_from(["a", "/", "*", "**", "?"]), max_size=4).map("".join)


@given(GLOBS, GLOBS)
def test_globs_meet_exactly_when_some_value_matches_both(one: str, other: str) -> None:
    expected = any(glob_matches(one, each) and glob_matches(other, each) for each in VALUES)

    assert globs_meet(one, other) is expected


@given(GLOBS, GLOBS)
def test_a_glob_that_covers_another_matches_all_that_it_matches(outer: str, inner: str) -> None:
    if glob_covers(outer, inner):
        assert all(glob_matches(outer, each) for each in VALUES if glob_matches(inner, each))


@given(GLOBS)
def test_a_glob_meets_and_covers_itself(glob: str) -> None:
    assert globs_meet(glob, glob)
    assert glob_covers(glob, glob)


@given(GLOBS)
def test_everything_covers_every_glob(glob: str) -> None:
    assert glob_covers("**", glob)


@given(GLOBS)
def test_an_example_matches_its_glob(glob: str) -> None:
    assert glob_matches(glob, example_of(glob))


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("refs/heads/*", "refs/heads/release/*", False),
        ("refs/heads/**", "refs/heads/release/*", True),
        ("refs/heads/release/*", "refs/heads/*/1.2", True),
        ("refs/heads/main", "refs/heads/main", True),
        ("refs/heads/main*", "refs/heads/mainly", True),
        ("refs/heads/main?", "refs/heads/main", False),
        ("*a", "*b", False),
        ("a*c", "a*bd", False),
        ("a?", "a/", False),
        ("*?", "?*", True),
        ("", "", True),
        ("", "*", True),
    ],
)
def test_globs_meet(one: str, other: str, *, meet: bool) -> None:
    assert globs_meet(one, other) is meet
    assert globs_meet(other, one) is meet


@pytest.mark.parametrize(
    ("outer", "inner", "covers"),
    [
        ("refs/heads/**", "refs/heads/release/*", True),
        ("refs/heads/*", "refs/heads/release/*", False),
        ("refs/heads/*", "refs/heads/main?", True),
        ("refs/heads/main?", "refs/heads/main*", False),
        ("refs/**/x", "refs/*/x", True),
        ("refs/*/x", "refs/**/x", False),
        ("a*", "a", True),
        ("a", "a*", False),
    ],
)
def test_a_glob_covers_another(outer: str, inner: str, *, covers: bool) -> None:
    assert glob_covers(outer, inner) is covers


@pytest.mark.parametrize("length", [300, 1000])
def test_globs_that_are_too_long_stay_undecided(length: int) -> None:
    one, other = "*a" * (length // 2) + "*", "*b" * (length // 2) + "*"

    assert globs_meet(one, other) is None
    assert not glob_covers(one, other)


@pytest.mark.parametrize(("glob", "expected"), [("a*", True), ("a?", True), ("[a]", False)])
def test_a_wildcard_is_a_star_or_a_question_mark(glob: str, *, expected: bool) -> None:
    assert has_wildcard(glob) is expected


@pytest.mark.parametrize(
    ("glob", "example"),
    [
        ("refs/heads/main*", "refs/heads/main-x"),
        ("refs/heads/release/*", "refs/heads/release/x"),
        ("refs/tags/v?.*", "refs/tags/vx.x"),
        ("**", "x"),
        ("main", "main"),
    ],
)
def test_an_example_is_what_somebody_would_choose(glob: str, example: str) -> None:
    assert example_of(glob) == example
