"""Globs over claim values: `*`, `**` and `?`, nothing else.

`*` is any run, also an empty one, without `/`, `:` and `@`; `**` is any run; `?` is one character
other than `/`, `:` and `@`. Brackets and all else are literal. Matching takes time linear in the
value (RE2), whatever the pattern (attacks rows 60, 63, 68).
"""

import re
from functools import lru_cache
from typing import Final, Protocol

import re2

MAX_PATTERN_LENGTH: Final = 4096

_SEGMENT_CHARACTER = "[^/:@]"
_RE2_MEMORY_BYTES = 1 << 20


class PatternRefused(ValueError):
    """A pattern that RE2 does not take; the message says why."""


class Pattern(Protocol):
    """A compiled pattern."""

    def fullmatch(self, text: str, /) -> object | None:
        """Match the whole text."""
        ...


def compile_regex(pattern: str, *, fold: bool = False, dot_all: bool = False) -> Pattern:
    """Compile a pattern of RE2; the value must match as a whole by `fullmatch`.

    `fold` ignores the case of letters, and with `dot_all` a dot is a line end, too. Raises
    `PatternRefused`, also for more characters than `MAX_PATTERN_LENGTH` (attacks row 68).
    """
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise PatternRefused(f"longer than {MAX_PATTERN_LENGTH} characters")
    return _compiled(pattern, fold=fold, dot_all=dot_all)


def glob_matches(glob: str, text: str) -> bool:
    """Tell whether a whole text matches a glob.

    Raises `PatternRefused` for a glob longer than `MAX_PATTERN_LENGTH`.
    """
    return _compiled_glob(glob).fullmatch(text) is not None


def literal_prefix(glob: str) -> str:
    """Give the characters of a glob before its first wildcard."""
    return glob[: min((glob.find(mark) for mark in "*?" if mark in glob), default=len(glob))]


def _compiled(pattern: str, *, fold: bool, dot_all: bool) -> Pattern:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _RE2_MEMORY_BYTES
    options.case_sensitive = not fold
    options.dot_nl = dot_all
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        raise PatternRefused(error.args[0].decode()) from None


@lru_cache(maxsize=65_536)
def _compiled_glob(glob: str) -> Pattern:
    if len(glob) > MAX_PATTERN_LENGTH:
        raise PatternRefused(f"longer than {MAX_PATTERN_LENGTH} characters")
    return _compiled(_as_regex(glob), fold=False, dot_all=True)


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
