"""Folding regexes against the same patterns with ASCII folding written out."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.core.conditions import Condition, Effect, Not, Regex

TEXTS = st.text("kKsSaA\u212a\u017f1é-", min_size=1, max_size=4)
# Written out, for re.IGNORECASE itself errs: it does not find `k*[^k]*` in `KK`.
ATOMS = {
    "k": "[kK]",
    "K": "[kK]",
    "s": "[sS]",
    "a": "[aA]",
    "[a-z]": "[a-zA-Z]",
    "[A-S]": "[A-Sa-s]",
    "[^k]": "[^kK]",
    "[^S]": "[^sS]",
    "\u212a": "\u212a",
    "[^\u017f]": "[^\u017f]",
    ".": ".",
    "1": "1",
    "-": "-",
    r"\d": "[0-9]",
    r"\w": "[0-9A-Za-z_]",
}
PARTS = st.lists(
    st.tuples(st.sampled_from(sorted(ATOMS)), st.sampled_from(["", "*", "+", "?"])),
    min_size=1,
    max_size=4,
)


@settings(max_examples=400, deadline=None)
@given(PARTS, TEXTS)
@example([("k", "*"), ("[^k]", "*")], "KK")
def test_a_folding_regex_means_exactly_ascii_folding(
    parts: list[tuple[str, str]], text: str
) -> None:
    pattern = "".join(atom + count for atom, count in parts)
    written_out = "".join(ATOMS[atom] + count for atom, count in parts)
    expected = re.fullmatch(written_out, text) is not None

    for effect in Effect:
        plain = Condition("c", Regex(pattern), folded=True)
        negated = Condition("c", Not(Regex(pattern)), folded=True)
        assert plain.holds({"c": text}, effect) is expected
        assert negated.holds({"c": text}, effect) is not expected
