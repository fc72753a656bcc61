"""Globs over claim values: `*`, `**` and `?`, nothing else.

`*` is any run, also an empty one, without `/`, `:` and `@`; `**` is any run; `?` is one character
other than `/`, `:` and `@`. Brackets and all else are literal. Matching takes time linear in the
value (RE2), whatever the pattern (attacks rows 60, 63, 68).
"""

import re
from functools import lru_cache
from typing import Protocol

import re2

_SEGMENT_CHARACTER = "[^/:@]"
_RE2_MEMORY_BYTES = 1 << 20


class WholeMatcher(Protocol):
    """A compiled pattern."""

    def fullmatch(self, text: str) -> object | None:
        """Match a whole text; None when it does not."""
        ...


class PatternRefused(ValueError):
    """A pattern that RE2 does not take; the message says why."""


def compile_regex(pattern: str, *, fold: bool = False) -> WholeMatcher:
    """Compile a pattern of RE2; the value must match as a whole by `fullmatch`.

    `fold` ignores the case of letters. Raises `PatternRefused`.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _RE2_MEMORY_BYTES
    options.case_sensitive = not fold
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        cause = error.args[0] if error.args else "not a pattern"
        raise PatternRefused(cause.decode() if isinstance(cause, bytes) else str(cause)) from None


def glob_matches(glob: str, text: str) -> bool:
    """Tell whether a whole text matches a glob."""
    return _compiled_glob(glob).fullmatch(text) is not None


def literal_prefix(glob: str) -> str:
    """Give the characters of a glob before its first wildcard."""
    return glob[: min((glob.find(mark) for mark in "*?" if mark in glob), default=len(glob))]


@lru_cache(maxsize=65_536)
def _compiled_glob(glob: str) -> WholeMatcher:
    return compile_regex("(?s)" + _as_regex(glob))


def _as_regex(glob: str) -> str:
    parts: list[str] = []
    position = 0
    while position < len(glob):
        if glob.startswith("**", position):
            parts.append(".*")
            position += 2
        elif glob[position] == "*":
            parts.append(f"{_SEGMENT_CHARACTER}*")
            position += 1
        elif glob[position] == "?":
            parts.append(_SEGMENT_CHARACTER)
            position += 1
        else:
            parts.append(re.escape(glob[position]))
            position += 1
    return "".join(parts)
