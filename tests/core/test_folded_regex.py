"""Folding regexes against the standard library's, which can fold ASCII alone."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.conditions import Condition, Effect, Not, Regex

TEXTS = st.text("kKsSaA\u212a\u017f1-", min_size=1, max_size=4)
ATOMS = st.sampled_from(
    ["k", "K", "s", "a", "[a-z]", "[A-S]", "[^k]", "[^S]", ".", "1", "-", r"\d", r"\w"]
)
PATTERNS = st.lists(st.tuples(ATOMS, st.sampled_from(["", "*", "+", "?"])), min_size=1, max_size=4)


@settings(max_examples=300, deadline=None)
@given(PATTERNS, TEXTS)
def test_a_folding_regex_means_exactly_ascii_folding(
    parts: list[tuple[str, str]], text: str
) -> None:
    pattern = "".join(atom + count for atom, count in parts)
    expected = re.fullmatch(pattern, text, re.ASCII | re.IGNORECASE) is not None

    for effect in Effect:
        plain = Condition("c", Regex(pattern), folded=True)
        negated = Condition("c", Not(Regex(pattern)), folded=True)
        assert plain.holds({"c": text}, effect) is expected
        assert negated.holds({"c": text}, effect) is not expected
