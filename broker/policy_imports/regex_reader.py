"""Reading a regex of Go into a tree, as far as Go and RE2 read it alike."""

import re
import string
from typing import Final

from broker.core.globs import PatternRefused, compile_regex
from broker.policy_imports.regex_tree import (
    PRINTABLE,
    Alternatives,
    Characters,
    Node,
    Repeated,
    Sequence,
)

_DIGITS: Final = frozenset(string.digits)
_WORD: Final = frozenset(string.ascii_letters + string.digits + "_")
_NAMED: Final = {
    "d": Characters(_DIGITS),
    "D": Characters(PRINTABLE - _DIGITS, others=True),
    "w": Characters(_WORD),
    "W": Characters(PRINTABLE - _WORD, others=True),
    "S": Characters(PRINTABLE - {" "}, others=True),
}
_COUNT: Final = re.compile(r"0|[1-9][0-9]{0,2}")
_MAX_REPEATS: Final = 255
_MAX_NESTING: Final = 20
_REPEATS: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}


class RegexNotRead(ValueError):
    """A regex holds what is not read; the message says what."""


def read_regex(pattern: str) -> Node:
    """Read a regex that is matched against the whole value. Raises `RegexNotRead`."""
    try:
        compile_regex(pattern)
    except PatternRefused as error:
        raise RegexNotRead(f"it is no regex: {error}") from None
    if not PRINTABLE.issuperset(pattern):
        raise RegexNotRead("it has characters beyond ASCII")
    reader = _Reader(pattern.removeprefix("^"), anchored=pattern.startswith("^"))
    return reader.whole()


class _Reader:
    """A reader with its position."""

    def __init__(self, pattern: str, *, anchored: bool) -> None:
        self._pattern = pattern
        self._anchored = anchored
        self._at = 0
        self._is_open = False
        """Whether there is a `|` in no group."""

    def whole(self) -> Node:
        node = self._alternatives(0)
        if self._pattern[self._at :] == "$":
            self._at += 1
            self._anchored = True
        if self._at < len(self._pattern):
            raise RegexNotRead(f"`{self._peek()}` in the middle of it")
        if self._anchored and self._is_open:
            raise RegexNotRead("`^` or `$` beside a `|`, which leaves the other side open")
        return node

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _next(self) -> str:
        self._at += 1
        return self._pattern[self._at - 1]

    def _alternatives(self, depth: int) -> Node:
        if depth > _MAX_NESTING:
            raise RegexNotRead("groups are nested too deeply")
        parts = [self._sequence(depth)]
        while self._peek() == "|":
            self._at += 1
            self._is_open = self._is_open or depth == 0
            parts.append(self._sequence(depth))
        return parts[0] if len(parts) == 1 else Alternatives(tuple(parts))

    def _sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        while self._peek() not in ("", "|", ")", "$"):
            parts.append(self._repeated(self._single(depth)))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _single(self, depth: int) -> Node:
        character = self._next()
        if character == "(":
            return self._group(depth)
        if character == "[":
            return self._class()
        if character == ".":
            return Characters(PRINTABLE, others=True)
        if character == "\\":
            return self._escape()
        if character in "^*+?{}]":
            raise RegexNotRead(f"`{character}` in the middle of it")
        return Characters(frozenset(character))

    def _group(self, depth: int) -> Node:
        if self._peek() == "?":
            if not self._pattern.startswith("?:", self._at):
                raise RegexNotRead("a group with flags or a name")
            self._at += 2
        node = self._alternatives(depth + 1)
        if self._peek() != ")":
            raise RegexNotRead("`$` in the middle of it")
        self._at += 1
        return node

    def _escape(self) -> Characters:
        character = self._next()
        if character in _NAMED:
            return _NAMED[character]
        if character.isalnum():
            raise RegexNotRead(f"`\\{character}`")
        return Characters(frozenset(character))

    def _class(self) -> Characters:
        """Read a class; RE2 has compiled it, so that it ends."""
        negated = self._peek() == "^"
        self._at += negated
        found: set[str] = set()
        others = False
        while self._peek() != "]" or not (found or others):
            first = self._member()
            found |= first.printable
            others = others or first.others
            if self._pattern.startswith("-", self._at) and self._pattern[self._at + 1] != "]":
                self._at += 1
                last = self._member()
                if len(first.printable) != 1 or len(last.printable) != 1:
                    raise RegexNotRead("a range in a class that is none")
                codes = range(ord(min(first.printable)), ord(min(last.printable)) + 1)
                found |= set(map(chr, codes))
        self._at += 1
        if negated:
            return Characters(PRINTABLE - found, others=not others)
        return Characters(frozenset(found), others=others)

    def _member(self) -> Characters:
        character = self._next()
        if character == "\\":
            return self._escape()
        if character == "[" and self._peek() == ":":
            raise RegexNotRead("a class by name, as in `[:alpha:]`")
        return Characters(frozenset(character))

    def _repeated(self, part: Node) -> Node:
        mark = self._peek()
        if mark not in ("*", "+", "?", "{") or not mark:
            return part
        self._at += 1
        if mark == "{":
            bounds, closed, _ = self._pattern[self._at :].partition("}")
            least, most = self._bounds(bounds if closed else "")
            self._at += len(bounds) + 1
        else:
            least, most = _REPEATS[mark]
        if self._peek() == "?":
            self._at += 1  # what matches as a whole is the same, greedy or not
        if self._peek() in ("*", "+", "?", "{") and self._peek():
            raise RegexNotRead("a repetition of a repetition")
        return Repeated(part, least, most)

    def _bounds(self, text: str) -> tuple[int, int | None]:
        least, comma, most = text.partition(",")
        numbers = [each for each in (least, most) if each]
        # NOTE: with a zero in front, as in `a{01}`, Go and RE2 take the braces for themselves.
        if not least or not all(map(_COUNT.fullmatch, numbers)):
            raise RegexNotRead("`{` in the middle of it")
        if any(int(each) > _MAX_REPEATS for each in numbers):
            raise RegexNotRead(f"more than {_MAX_REPEATS} repetitions")
        if not comma:
            return int(least), int(least)
        return int(least), int(most) if most else None
