"""Regexes of a peer as a tree: what they are made of, what they begin with, how long they get.

Only what Go and RE2 read alike is read at all: literals, classes, groups, alternatives and
repetitions, `^` at the very beginning and `$` at the very end. Flags, assertions and names of
classes are not.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

PRINTABLE: Final = frozenset(map(chr, range(0x20, 0x7F)))
"""The characters that sets of characters are told for."""

MAX_LITERALS: Final = 50
_SHORTEST_RANGE: Final = 2


@dataclass(frozen=True, slots=True)
class Characters:
    """One character out of a set; `others` tells whether any beyond printable ASCII is in it."""

    printable: frozenset[str]
    others: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """One part behind the other."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Alternatives:
    """One of several parts."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Repeated:
    """A part several times; `most` is None where there is no limit."""

    part: "Node"
    least: int
    most: int | None


Node = Characters | Sequence | Alternatives | Repeated

Beginning = tuple[str, bool]
"""What a value begins with, and whether that is all of it."""


def beginnings(node: Node) -> list[Beginning]:
    """Give what values begin with, one for each alternative; at most `MAX_LITERALS` of them."""
    found = _beginnings(node)
    return found if len(found) <= MAX_LITERALS else [("", False)]


def most_characters(node: Node, *, unlimited: int) -> int:
    """Tell how long a value can get when each `*` and `+` is taken for so many repetitions."""
    if isinstance(node, Characters):
        return 1
    if isinstance(node, Sequence):
        return sum(most_characters(part, unlimited=unlimited) for part in node.parts)
    if isinstance(node, Alternatives):
        return max(most_characters(part, unlimited=unlimited) for part in node.parts)
    most = max(unlimited, node.least) if node.most is None else node.most
    return most * most_characters(node.part, unlimited=unlimited)


def has_limit(node: Node) -> bool:
    """Tell whether values have a greatest length."""
    if isinstance(node, Characters):
        return True
    if isinstance(node, Repeated):
        return node.most is not None and has_limit(node.part)
    return all(map(has_limit, node.parts))


def sample(node: Node) -> str:
    """Give one value that the tree admits; of the printable characters where there are some."""
    if isinstance(node, Characters):
        plain = sorted(node.printable, key=lambda each: (not each.isalnum(), each != "x", each))
        return plain[0] if plain else "\N{REPLACEMENT CHARACTER}"
    if isinstance(node, Sequence):
        return "".join(map(sample, node.parts))
    if isinstance(node, Alternatives):
        return sample(node.parts[0])
    return sample(node.part) * (node.least or (0 if node.most == 0 else 1))


def written(
    node: Node, *, unlimited: int, characters: Callable[[Characters], frozenset[str]]
) -> str:
    """Write a tree as a regex of RE2, in which `*` and `+` repeat at most `unlimited` times.

    `characters` gives what of a set is left.
    """

    def write(node: Node) -> str:
        if isinstance(node, Characters):
            return _class(characters(node))
        if isinstance(node, Sequence):
            return "".join(map(write, node.parts))
        if isinstance(node, Alternatives):
            return f"(?:{'|'.join(map(write, node.parts))})"
        part = write(node.part)
        if not isinstance(node.part, Characters | Alternatives):
            part = f"(?:{part})"
        most = max(unlimited, node.least) if node.most is None else node.most
        return f"{part}{{{node.least},{most}}}"

    return write(node)


def _class(characters: frozenset[str]) -> str:
    if len(characters) == 1:
        return re.escape(*characters)
    runs: list[list[int]] = []
    for code in sorted(map(ord, characters)):
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return "[" + "".join(_run(chr(first), chr(last)) for first, last in runs) + "]"


def _run(first: str, last: str) -> str:
    ends = [f"\\{each}" if each in "\\]^-[" else each for each in (first, last)]
    if ord(last) - ord(first) < _SHORTEST_RANGE:
        return "".join(dict.fromkeys(ends))
    return "-".join(ends)


def _beginnings(node: Node) -> list[Beginning]:
    if isinstance(node, Characters):
        if node.others or len(node.printable) > MAX_LITERALS:
            return [("", False)]
        return [(each, True) for each in sorted(node.printable)]
    if isinstance(node, Alternatives):
        return [each for part in node.parts for each in beginnings(part)]
    if isinstance(node, Repeated):
        return _of_repeated(node)
    return _joined([beginnings(part) for part in node.parts])


def _of_repeated(node: Repeated) -> list[Beginning]:
    once = beginnings(node.part)
    if node.most is None or node.most > MAX_LITERALS:
        return [(text, False) for text, _ in once] if node.least else [("", False)]
    found: dict[Beginning, None] = {}
    for times in range(node.least, node.most + 1):
        found |= dict.fromkeys(_joined([once] * times))
        if len(found) > MAX_LITERALS:
            return [("", False)]
    return list(found)


def _joined(parts: list[list[Beginning]]) -> list[Beginning]:
    found: list[Beginning] = [("", True)]
    for behind in parts:
        if len(found) * len(behind) > MAX_LITERALS:
            # From here on it is not followed; what was found so far still holds.
            return [(text, False) for text, _ in found]
        found = [
            (text + more, ends) if whole else (text, False)
            for text, whole in found
            for more, ends in (behind if whole else [("", False)])
        ]
    return list(dict.fromkeys(found))
