"""Folding regexes against the standard library's, which can fold ASCII alone."""

import re

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from broker.core.conditions import Condition, Effect, Not, Regex

TEXTS = st.text("kKsSaA\u212a\u017féÉ1-", min_size=1, max_size=4)
ATOMS = st.sampled_from(
    ["k", "K", "s", "a", "[a-z]", "[A-S]", "[^k]", "[^S]", ".", "é", "É", "\u212a", "1", "-", r"\d",
     r"\w", r"[\x{e9}]"]
)  # fmt: skip
PATTERNS = st.lists(st.tuples(ATOMS, st.sampled_from(["", "*", "+", "?"])), min_size=1, max_size=4)


def holds(pattern: str, text: str, effect: Effect, *, negated: bool = False) -> bool:
    matcher = Not(Regex(pattern)) if negated else Regex(pattern)
    return Condition("c", matcher, folded=True).holds({"c": text}, effect)


@settings(max_examples=400, deadline=None)
@given(PATTERNS, TEXTS)
def test_a_folding_regex_never_grants_what_ascii_folding_does_not(
    parts: list[tuple[str, str]], text: str
) -> None:
    pattern = "".join(atom + count for atom, count in parts)
    reference = pattern.replace(r"\x{e9}", "é")
    expected = re.fullmatch(reference, text, re.ASCII | re.IGNORECASE) is not None

    if expected:
        assert not holds(pattern, text, Effect.ALLOW, negated=True)
        assert holds(pattern, text, Effect.DENY)
    else:
        assert not holds(pattern, text, Effect.ALLOW)
        assert holds(pattern, text, Effect.DENY, negated=True)


@settings(max_examples=200, deadline=None)
@given(PATTERNS, TEXTS)
def test_a_folding_regex_of_ascii_alone_means_exactly_ascii_folding(
    parts: list[tuple[str, str]], text: str
) -> None:
    pattern = "".join(atom + count for atom, count in parts)
    assume(pattern.isascii() and "x{" not in pattern)
    assume("\u212a" not in text and "\u017f" not in text)

    expected = re.fullmatch(pattern, text, re.ASCII | re.IGNORECASE) is not None

    for effect in Effect:
        assert holds(pattern, text, effect) is expected
        assert holds(pattern, text, effect, negated=True) is not expected
