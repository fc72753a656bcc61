"""What two conditions on one claim say about each other, held against what they do."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.conditions import (
    AnyOf,
    Condition,
    Effect,
    Equals,
    Glob,
    Matcher,
    Not,
    Present,
    Regex,
)
from broker.core.policy_lint.matcher_relations import can_both_hold, implies
from tests.core.builders import a_matcher

TEXTS = ["a", "A", "b", "a/b", "ab", "zq-7357", "true", "7"]
SINGLES = st.one_of(
    st.sampled_from(TEXTS).map(Equals),
    st.sampled_from(["*", "**", "a*", "A*", "a/*", "?", "*b", "a"]).map(Glob),
    st.sampled_from(["a", ".*", "a.*", "[ab]", "(?s).*"]).map(Regex),
)
POSITIVES = st.one_of(
    SINGLES, st.lists(SINGLES, min_size=1, max_size=3).map(lambda items: AnyOf(tuple(items)))
)
MATCHERS: st.SearchStrategy[Matcher] = st.one_of(POSITIVES, POSITIVES.map(Not), st.just(Present()))
SCALARS = st.one_of(st.sampled_from(TEXTS), st.sampled_from([None, "", 7, True, 0.5, {"a": "b"}]))
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3))


def holds(matcher: Matcher, value: Any, *, folded: bool, effect: Effect = Effect.ALLOW) -> bool:
    return Condition("claim", matcher, folded).holds({"claim": value}, effect)


@given(MATCHERS, MATCHERS, st.booleans(), VALUES, st.sampled_from(Effect))
def test_what_is_implied_holds(
    have: Matcher, want: Matcher, folded: bool, value: Any, effect: Effect
) -> None:
    premise, conclusion = Condition("claim", have, folded), Condition("claim", want, folded)

    if implies(premise, conclusion) and holds(have, value, folded=folded):
        assert holds(want, value, folded=folded, effect=effect)


@given(MATCHERS, MATCHERS, st.booleans(), st.sampled_from(TEXTS))
def test_two_conditions_that_cannot_both_hold_do_not(
    one: Matcher, other: Matcher, folded: bool, value: str
) -> None:
    verdict = can_both_hold(Condition("claim", one, folded), Condition("claim", other, folded))

    both = holds(one, value, folded=folded) and holds(other, value, folded=folded)
    assert not (both and verdict is False)


@given(MATCHERS, MATCHERS, st.booleans())
def test_it_does_not_matter_which_condition_is_the_first(
    one: Matcher, other: Matcher, folded: bool
) -> None:
    first, second = Condition("claim", one, folded), Condition("claim", other, folded)

    assert can_both_hold(first, second) is can_both_hold(second, first)


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ("a", "a", True),
        ("a", "A", False),
        ("a", Glob("a*"), True),
        ("a", Regex("a|b"), True),
        ("a", Regex("b"), False),
        (["a", "b"], ["b", "c"], True),
        (["a", "b"], ["c", "d"], False),
        (["a", Regex("x.*")], ["c", Regex("y.*")], None),
        (Glob("a*"), Glob("*b"), True),
        (Glob("a*"), Glob("b*"), False),
        (Regex("a.*"), Regex("a.*"), True),
        (Regex("a.*"), Regex(".*b"), None),
        (Regex("a.*"), Glob("a*"), None),
        (Present(), "a", True),
        (Present(), Present(), True),
        (Not(Equals("a")), "a", False),
        (Not(Equals("a")), "b", True),
        (Not(Equals("a")), ["a", "b"], True),
        (Not(Equals("a")), Glob("a*"), True),
        (Not(Glob("a*")), Glob("ab*"), False),
        (Not(Regex("a.*")), Glob("ax*"), None),
        (Not(Equals("a")), Regex("a|b"), None),
        (Not(Equals("a")), Not(Equals("b")), True),
        (Not(Equals("a")), Present(), True),
        (Not(Glob("**")), Not(Equals("b")), None),
        (Not(Equals("b")), Not(Glob("**")), None),
    ],
)
def test_two_conditions_can_both_hold(one: Any, other: Any, verdict: bool | None) -> None:
    first, second = Condition("c", a_matcher(one)), Condition("c", a_matcher(other))

    assert can_both_hold(first, second) is verdict


@pytest.mark.parametrize(
    ("have", "want", "verdict"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a", ["b", "a"], True),
        (["a", "b"], "a", False),
        (["a", "b"], [Glob("a*"), "b"], True),
        ("a", Glob("a*"), True),
        (Glob("a"), "a", True),
        (Glob("a/*"), Glob("a/**"), True),
        (Glob("a/**"), Glob("a/*"), False),
        (Glob("a*"), Regex("a.*"), False),
        (Regex("a.*"), Glob("a*"), False),
        (Regex("a.*"), Glob("**"), True),
        (Regex("a.*"), [Regex("a.*"), "b"], True),
        ("a", Present(), True),
        (Not(Equals("a")), Present(), True),
        (Present(), "a", False),
        ("a", Not(Equals("b")), False),
        (Not(Equals("a")), "b", False),
        (Not(AnyOf((Equals("a"), Equals("b")))), Not(Equals("a")), True),
        (Not(Equals("a")), Not(AnyOf((Equals("a"), Equals("b")))), False),
    ],
)
def test_one_condition_implies_another(have: Any, want: Any, verdict: bool) -> None:
    assert implies(Condition("c", a_matcher(have)), Condition("c", a_matcher(want))) is verdict


def test_a_condition_can_hold_together_with_itself() -> None:
    condition = Condition("c", Regex("a.*"))

    assert can_both_hold(condition, condition) is True


def test_case_is_ignored_where_the_claim_ignores_it() -> None:
    lower, upper = (
        Condition("c", Glob("acme/*"), folded=True),
        Condition("c", Equals("ACME/web"), folded=True),
    )

    assert can_both_hold(lower, upper)
    assert implies(upper, lower)
    assert implies(Condition("c", Glob("ACME/W*"), folded=True), lower)
