"""Patterns on claims whose ASCII case the broker ignores, in which it counts as in their source.

A name that is written out is one name, however its case is. What a pattern leaves open is not: a
peer's `acme/web-*` does not admit the repository `acme/Web-public`, which is another one.
"""

import re
from typing import Final

from broker.core.conditions import AnyOf, Equals, Glob, Matcher, Regex, Single
from broker.core.globs import literal_prefix

_LETTER: Final = re.compile(r"[A-Za-z]")


def with_case(matcher: Matcher) -> Matcher:
    """Give a matcher that takes letters of patterns as they are, also where case is ignored.

    Literals stay, as do globs without a letter behind the names that they begin with (`acme/**`).
    """
    if isinstance(matcher, AnyOf):
        return AnyOf(tuple(map(_with_case, matcher.items)))
    return _with_case(matcher) if isinstance(matcher, Single) else matcher


def names_one(matcher: Matcher) -> bool:
    """Tell whether a matcher with its case still holds a name that is compared without."""
    items = matcher.items if isinstance(matcher, AnyOf) else (matcher,)
    return any(isinstance(item, Equals | Glob) for item in items)


def _with_case(item: Single) -> Single:
    if isinstance(item, Regex):
        return Regex(f"(?-i:{item.pattern})")
    if isinstance(item, Equals) or not _LETTER.search(item.pattern, _names(item.pattern)):
        return item
    literals = map(re.escape, item.pattern.split("**"))
    return Regex(f"(?-i:(?s){'.*'.join(literals)})")


def _names(glob: str) -> int:
    """Tell how long the names are that a glob begins with, the last slash included."""
    return literal_prefix(glob).rfind("/") + 1
