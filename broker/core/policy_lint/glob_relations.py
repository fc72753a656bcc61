"""What two globs say about each other: can a value match both, does one match all of the other."""

import re
from enum import Enum
from functools import lru_cache
from typing import Final

from broker.core.globs import literal_prefix

# Pairs of positions: longer globs than about 250 characters each are not compared.
_MAX_WORK: Final = 1 << 16
_SEPARATORS: Final = frozenset("/:@")


class _Wild(Enum):
    RUN = "**"
    SEGMENT = "*"
    CHARACTER = "?"


_Token = str | _Wild
_WILD: Final[dict[str, _Token]] = {each.value: each for each in _Wild}
_PARTS: Final = re.compile(r"\*\*|.", re.DOTALL)
_RUNS: Final = (_Wild.RUN, _Wild.SEGMENT)


def globs_meet(one: str, other: str) -> bool | None:
    """Tell whether some value matches both globs; None when they are too long to tell."""
    (head, tail), (other_head, other_tail) = _ends(one), _ends(other)
    if not (head.startswith(other_head) or other_head.startswith(head)):
        return False
    if not (tail.endswith(other_tail) or other_tail.endswith(tail)):
        return False
    return _share_a_value(one, other)


def glob_covers(outer: str, inner: str) -> bool:
    """Tell whether every value of the inner glob surely matches the outer one.

    A yes is certain; a no may be a pair that is too long or too intricate.
    """
    head, tail = _ends(outer)
    return inner.startswith(head) and inner.endswith(tail) and _takes_all(outer, inner)


def example_of(glob: str) -> str:
    """Give a value that a glob matches, as somebody would choose it who wants in."""
    text = glob.replace("**", "*").replace("?", "x")
    before, star, after = text.partition("*")
    if not star:
        return text
    return before + ("-x" if before[-1:].isalnum() else "x") + after.replace("*", "x")


def has_wildcard(glob: str) -> bool:
    """Tell whether a glob matches more than its own text."""
    return "*" in glob or "?" in glob


@lru_cache(maxsize=65_536)
def _ends(glob: str) -> tuple[str, str]:
    """Give the characters before the first wildcard, and those behind the last."""
    return literal_prefix(glob), glob[max(glob.rfind("*"), glob.rfind("?")) + 1 :]


@lru_cache(maxsize=65_536)
def _share_a_value(one: str, other: str) -> bool | None:
    left, right = _tokens(one), _tokens(other)
    if len(left) * len(right) > _MAX_WORK:
        return None
    waiting, seen = [(0, 0)], {(0, 0)}
    while waiting:
        i, j = waiting.pop()
        if i == len(left) and j == len(right):
            return True
        for step in _steps(left, right, i, j):
            if step not in seen:
                seen.add(step)
                waiting.append(step)
    return False


@lru_cache(maxsize=65_536)
def _takes_all(outer: str, inner: str) -> bool:
    """Match one glob against the other, whose wildcards count as what only wildcards take."""
    pattern, text = _tokens(outer), _tokens(inner)
    if len(pattern) * len(text) > _MAX_WORK:
        return False
    states = _rest({0}, pattern)
    for token in text:
        states = _rest(
            {
                i if pattern[i] in _RUNS else i + 1
                for i in states
                if i < len(pattern) and _takes(pattern[i], token)
            },
            pattern,
        )
    return len(pattern) in states


def _tokens(glob: str) -> tuple[_Token, ...]:
    return tuple(_WILD.get(part, part) for part in _PARTS.findall(glob))


def _steps(
    left: tuple[_Token, ...], right: tuple[_Token, ...], i: int, j: int
) -> list[tuple[int, int]]:
    """Give the pairs of positions that follow one: a run ends, or both take one character."""
    steps: list[tuple[int, int]] = []
    if i < len(left) and left[i] in _RUNS:
        steps.append((i + 1, j))
    if j < len(right) and right[j] in _RUNS:
        steps.append((i, j + 1))
    if i < len(left) and j < len(right) and _share(left[i], right[j]):
        steps.append((i if left[i] in _RUNS else i + 1, j if right[j] in _RUNS else j + 1))
    return steps


def _share(one: _Token, other: _Token) -> bool:
    """Tell whether one character fits both tokens."""
    if isinstance(one, str):
        return _takes(other, one)
    if isinstance(other, str):
        return _takes(one, other)
    return True


def _takes(pattern: _Token, token: _Token) -> bool:
    """Tell whether a token of a pattern takes another token, whatever that stands for."""
    if pattern is _Wild.RUN:
        return True
    if pattern is _Wild.SEGMENT:
        return token is not _Wild.RUN and token not in _SEPARATORS
    if pattern is _Wild.CHARACTER:
        return token not in _RUNS and token not in _SEPARATORS
    return pattern == token


def _rest(states: set[int], pattern: tuple[_Token, ...]) -> set[int]:
    """Add the positions that runs which end here lead to."""
    reached = set(states)
    waiting = list(states)
    while waiting:
        i = waiting.pop()
        if i < len(pattern) and pattern[i] in _RUNS and i + 1 not in reached:
            reached.add(i + 1)
            waiting.append(i + 1)
    return reached
