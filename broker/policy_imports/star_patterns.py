"""Patterns of AWS (`StringLike`) and Vault (`glob`), in which a star crosses every character."""

import re
from itertools import takewhile
from typing import Final

from broker.core.conditions import Equals, Glob, Regex, Single

_STARS: Final = re.compile(r"\*+")


def starred(pattern: str, *, question_mark: bool) -> Single:
    """Give the matcher that admits what a pattern does.

    `*` is any run of any characters. With `question_mark` a `?` is any one character, as in AWS;
    without, it is itself, as in Vault. Both are sharper with us, so `**` and regexes take their
    place.
    """
    if "?" in pattern:
        one = "." if question_mark else re.escape("?")
        return Regex("(?s)" + "".join(_regex(part, one) for part in re.split(r"(\*+|\?)", pattern)))
    if "*" in pattern:
        return Glob(_STARS.sub("**", pattern))
    return Equals(pattern)


def literal_start(pattern: str) -> str:
    """Give what every value begins with that such a pattern admits."""
    return "".join(takewhile(lambda each: each not in "*?", pattern))


def _regex(part: str, one: str) -> str:
    if part.startswith("*"):
        return ".*"
    return one if part == "?" else re.escape(part)


def sample(pattern: str, claim: str) -> str:
    """Give a value that such a pattern admits; of a `sub`, one that a job may have."""
    start = literal_start(pattern)
    if claim == "sub" and pattern == f"{start}*":
        for ending, rest in _CONTEXTS:
            if re.fullmatch(ending, start):
                return start + rest
    return _STARS.sub("x", pattern).replace("?", "x")


_CONTEXTS: Final = (
    (r"repo:[^/:]+/[^/:]+:", "ref:refs/heads/main"),
    (r"repo:[^/:]+/", "web:ref:refs/heads/main"),
    (r".+:ref:", "refs/heads/main"),
    (r"project_path:[^:]+:", "ref_type:branch:ref:main"),
    (r"project_path:[^:]+/", "web:ref_type:branch:ref:main"),
)
"""How a `sub` goes on, by what it begins with."""
