"""When a condition holds, in an allow and in a deny (contract §4, attacks rows 53-57, 159-161)."""

from typing import Any

import pytest

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
    all_hold,
)
from tests.core.builders import a_matcher

ABSENT = ...


def holds(matcher: Matcher, value: Any, effect: Effect) -> bool:
    claims = {} if value is ABSENT else {"c": value}
    return Condition("c", matcher).holds(claims, effect)


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize(
    ("matcher", "value"),
    [
        pytest.param(Equals("main"), "main", id="equal text"),
        pytest.param(Equals("42"), 42, id="an integer reads as decimals"),
        pytest.param(Equals("42"), "42", id="decimals read as decimals"),
        pytest.param(Equals("true"), True, id="a boolean reads as true"),
        pytest.param(Equals("false"), False, id="a boolean reads as false"),
        pytest.param(Equals("0"), 0, id="zero is a value"),
        pytest.param(Equals("a"), ["b", "a"], id="one element of a list is enough"),
        pytest.param(Equals("7"), [None, 7], id="elements read as text"),
        pytest.param(AnyOf((Equals("a"), Glob("b/*"))), "a", id="the first of a list"),
        pytest.param(AnyOf((Equals("a"), Glob("b/*"))), "b/c", id="the second of a list"),
        pytest.param(AnyOf((Equals("a"), Regex("c+"))), ["x", "cc"], id="any of any"),
        pytest.param(Glob("refs/heads/*"), "refs/heads/main", id="glob"),
        pytest.param(Glob("*"), 42, id="a glob reads integers as decimals"),
        pytest.param(Regex("v[0-9]+"), "v12", id="regex"),
        pytest.param(Not(Equals("dev")), "prod", id="not a literal"),
        pytest.param(Not(AnyOf((Equals("dev"), Glob("d*")))), "prod", id="not a list"),
        pytest.param(Not(Glob("d*")), "prod", id="not a glob"),
        pytest.param(Not(Regex("d.*")), "prod", id="not a regex"),
        pytest.param(Not(Equals("evil")), ["ok", "fine"], id="no element is it"),
        pytest.param(Present(), "x", id="present text"),
        pytest.param(Present(), 0, id="present zero"),
        pytest.param(Present(), False, id="present false"),
        pytest.param(Present(), ["x"], id="present list"),
    ],
)
def test_a_condition_holds_whatever_the_effect(
    matcher: Matcher, value: Any, effect: Effect
) -> None:
    assert holds(matcher, value, effect)


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize(
    ("matcher", "value"),
    [
        pytest.param(Equals("main"), "Main", id="case counts"),
        pytest.param(Equals("main"), "main ", id="space counts"),
        pytest.param(Equals("42"), 42.0, id="a float is no integer"),
        pytest.param(Equals("42"), "042", id="a leading zero counts"),
        pytest.param(Equals("True"), True, id="booleans are lower case"),
        pytest.param(Equals("1"), True, id="true is no one"),
        pytest.param(Equals("None"), None, id="null has no text"),
        pytest.param(Equals("null"), None, id="null has no text either"),
        pytest.param(Equals("['a']"), ["a"], id="a list is never printed"),
        pytest.param(Equals("a"), [["a"]], id="a nested list has no text"),
        pytest.param(Equals("{}"), {}, id="an object has no text"),
        pytest.param(Equals("a"), ABSENT, id="absent"),
        pytest.param(Equals("a"), [], id="an empty list"),
        pytest.param(AnyOf((Equals("a"), Equals("b"))), "c", id="none of a list"),
        pytest.param(AnyOf(()), "c", id="a list of nothing"),
        pytest.param(Glob("**"), ABSENT, id="no glob matches absence"),
        pytest.param(Glob("**"), "", id="no glob matches the empty text"),
        pytest.param(Glob("**"), None, id="no glob matches null"),
        pytest.param(Glob("**"), 1.5, id="no glob matches a float"),
        pytest.param(Glob("**"), {"a": 1}, id="no glob matches an object"),
        pytest.param(Regex(".*"), "", id="no regex matches the empty text"),
        pytest.param(Regex("main"), "main-hotfix", id="a regex is the whole value"),
        pytest.param(Regex("a:.*|b:main"), "xb:main", id="so is an alternation"),
        pytest.param(Not(Equals("dev")), "dev", id="not"),
        pytest.param(Not(AnyOf((Equals("dev"), Equals("qa")))), "qa", id="not a list"),
        pytest.param(Not(Equals("evil")), ["ok", "evil"], id="one element is it"),
        pytest.param(Not(Equals("evil")), [{}, "evil"], id="one element is it, beside an object"),
        pytest.param(Present(), ABSENT, id="absent is not present"),
        pytest.param(Present(), None, id="null is not present"),
        pytest.param(Present(), "", id="the empty text is not present"),
    ],
)
def test_a_condition_fails_whatever_the_effect(
    matcher: Matcher, value: Any, effect: Effect
) -> None:
    assert not holds(matcher, value, effect)


@pytest.mark.parametrize(
    ("matcher", "value"),
    [
        pytest.param(Not(Equals("dev")), ABSENT, id="not of an absent claim"),
        pytest.param(Not(Equals("dev")), None, id="not of null"),
        pytest.param(Not(Equals("dev")), "", id="not of the empty text"),
        pytest.param(Not(Equals("dev")), 1.5, id="not of a float"),
        pytest.param(Not(Equals("dev")), {"a": 1}, id="not of an object"),
        pytest.param(Not(Equals("dev")), [], id="not of an empty list"),
        pytest.param(Not(Equals("dev")), ["ok", None], id="not of a list with a null"),
        pytest.param(Not(Equals("dev")), ["ok", {"a": 1}], id="not of a list with an object"),
        pytest.param(Not(Equals("dev")), ["ok", 1.5], id="not of a list with a float"),
        pytest.param(Present(), 1.5, id="a float is present"),
        pytest.param(Present(), {}, id="an object is present"),
        pytest.param(Present(), [], id="an empty list is present"),
        pytest.param(Present(), [None], id="a list of null is present"),
    ],
)
def test_what_cannot_be_told_refuses_holding_in_a_deny_and_failing_in_an_allow(
    matcher: Matcher, value: Any
) -> None:
    assert holds(matcher, value, Effect.DENY)
    assert not holds(matcher, value, Effect.ALLOW)


FOLDED_EQUAL = [
    pytest.param(Equals("acme/web"), "Acme/WEB", id="equals"),
    pytest.param(Equals("ACME/web"), "acme/Web", id="equals, the policy in capitals"),
    pytest.param(AnyOf((Equals("x"), Equals("ACME/web"))), "acme/WEB", id="any of"),
    pytest.param(Glob("Acme/*"), "aCME/Web", id="glob"),
    pytest.param(Regex("acme/w.b"), "ACME/WEB", id="regex"),
    pytest.param(Regex("ACME/[A-Z]+"), "acme/web", id="regex in capitals"),
    pytest.param(Equals("prod-É"), "PROD-É", id="equals, beyond ASCII"),
    pytest.param(Glob("prod-*"), "PROD-é", id="glob, beyond ASCII"),
    pytest.param(Regex("prod-.*"), "PROD-é", id="regex, beyond ASCII"),
]


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize(("matcher", "value"), FOLDED_EQUAL)
def test_a_folding_claim_ignores_ascii_case_in_every_operator(
    matcher: Any, value: str, effect: Effect
) -> None:
    assert Condition("environment", matcher, folded=True).holds({"environment": value}, effect)
    negated = Condition("environment", Not(matcher), folded=True)
    assert not negated.holds({"environment": value}, effect)


@pytest.mark.parametrize(("matcher", "value"), FOLDED_EQUAL)
def test_any_other_claim_minds_case_in_every_operator(matcher: Any, value: str) -> None:
    assert not Condition("ref", matcher).holds({"ref": value})
    assert Condition("ref", Not(matcher)).holds({"ref": value})


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("kit", "\u212ait", id="Kelvin sign"),
        pytest.param("sub", "\u017fub", id="long s"),
        pytest.param("\u212ait", "KIT", id="Kelvin sign in the policy"),
        pytest.param("é", "É", id="e with acute"),
        pytest.param("i", "İ", id="dotted capital I"),
        pytest.param("ß", "SS", id="sharp s"),
    ],
)
def test_folding_stays_within_ascii(text: str, value: str, effect: Effect) -> None:
    for matcher in (Equals(text), AnyOf((Equals(text),)), Glob(text)):
        assert not Condition("c", matcher, folded=True).holds({"c": value}, effect)


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        pytest.param("kit", "\u212ait", id="Kelvin sign"),
        pytest.param("[a-z]ub", "\u017fub", id="long s"),
        pytest.param("\u212ait", "KIT", id="Kelvin sign in the policy"),
    ],
)
def test_a_folding_regex_takes_no_other_character_for_an_ascii_letter(
    pattern: str, value: str, effect: Effect
) -> None:
    assert not Condition("c", Regex(pattern), folded=True).holds({"c": value}, effect)
    assert Condition("c", Not(Regex(pattern)), folded=True).holds({"c": value}, effect)


@pytest.mark.parametrize(
    ("pattern", "value", "matching"),
    [("\u212a.*", "\u212aube", True), ("é+", "éé", True), ("é+", "x", False)],
)
def test_a_folding_regex_may_name_characters_beyond_ascii(
    pattern: str, value: str, matching: bool
) -> None:
    for effect in Effect:
        assert Condition("c", Regex(pattern), folded=True).holds({"c": value}, effect) is matching


NESTED = {
    "kubernetes.io": {"namespace": "prod", "serviceaccount": {"name": "ci", "a/b": "x", "m~n": 8}},
    "list": [{"a": "b"}],
    "/plain": {"a": "b"},
    "text": "t",
}


@pytest.mark.parametrize(
    ("pointer", "text"),
    [
        ("/kubernetes.io/namespace", "prod"),
        ("/kubernetes.io/serviceaccount/name", "ci"),
        ("/kubernetes.io/serviceaccount/a~1b", "x"),
        ("/kubernetes.io/serviceaccount/m~0n", "8"),
        ("/~1plain/a", "b"),
    ],
)
def test_a_pointer_reads_a_nested_claim(pointer: str, text: str) -> None:
    condition = Condition(pointer, Equals(text))

    assert condition.is_pointer
    assert condition.holds(NESTED)


@pytest.mark.parametrize(
    "pointer",
    ["/kubernetes.io/pod", "/kubernetes.io/pod/name", "/kubernetes.io/namespace/x", "/list/0/a",
     "/list/0", "/text/0", "/missing/x", "/kubernetes.io/serviceaccount/m~01n", "//a"],
)  # fmt: skip
def test_a_pointer_to_nothing_reads_absence(pointer: str) -> None:
    condition = Condition(pointer, Present())

    assert condition.value_in(NESTED) is None
    assert not condition.holds(NESTED)
    assert Condition(pointer, Not(Equals("x"))).holds(NESTED, Effect.DENY)


@pytest.mark.parametrize("claim", ["kubernetes.io", "oidc.circleci.com/project-id", "a.b", "a\0b"])
def test_a_name_without_a_leading_slash_is_no_path(claim: str) -> None:
    condition = Condition(claim, Equals("x"))

    assert not condition.is_pointer
    assert condition.top_level_claim == claim
    assert condition.holds({claim: "x"})
    assert not condition.holds({"a": {"b": "x"}, "oidc.circleci.com": {"project-id": "x"}})


def test_a_pointer_looks_into_its_first_segment() -> None:
    assert Condition("/a~1b/c", Present()).top_level_claim == "a/b"


def test_claim_names_are_exact() -> None:
    claims = {"Repository": "a", "repository\0": "a", "repo.sitory": "a", " repository": "a"}

    assert not Condition("repository", Equals("a")).holds(claims)


@pytest.mark.parametrize(
    ("value", "literals", "named"),
    [
        ("a", ("a",), ("a",)),
        (["a", 1, True], ("a", "1", "true"), ("a", "1", "true")),
        (["a", Glob("b*")], None, ("a",)),
        ([Regex("b")], None, ()),
        (Glob("a"), None, ()),
        (Regex("a"), None, ()),
        (Not(Equals("a")), None, ()),
        (Present(), None, ()),
    ],
)
def test_a_condition_knows_the_literals_it_admits_and_those_it_names(
    value: Any, literals: tuple[str, ...] | None, named: tuple[str, ...]
) -> None:
    condition = Condition("c", a_matcher(value))

    assert condition.literals() == literals
    assert condition.named_literals() == named


def test_all_conditions_must_hold() -> None:
    conditions = (Condition("a", Equals("1")), Condition("b", Not(Equals("2"))))

    assert all_hold(conditions, {"a": "1", "b": "3"}, Effect.ALLOW)
    assert not all_hold(conditions, {"a": "1", "b": "2"}, Effect.ALLOW)
    assert not all_hold(conditions, {"a": "1"}, Effect.ALLOW)
    assert all_hold(conditions, {"a": "1"}, Effect.DENY)
    assert all_hold((), {}, Effect.ALLOW)


def test_an_escaped_tilde_before_a_one_is_no_slash() -> None:
    assert Condition("/a/~01", Equals("x")).holds({"a": {"~1": "x", "/": "y"}})


@pytest.mark.parametrize("folded", [False, True])
def test_a_dot_is_a_line_end_where_a_match_refuses_and_nowhere_else(folded: bool) -> None:
    claims = {"c": "x\nevil"}
    plain, excluded = (
        Condition("c", matcher, folded=folded)
        for matcher in (Regex(".*evil"), Not(Regex(".*evil")))
    )

    assert plain.holds(claims, Effect.DENY)
    assert not plain.holds(claims, Effect.ALLOW)
    assert excluded.holds(claims, Effect.DENY)
    assert not excluded.holds(claims, Effect.ALLOW)
