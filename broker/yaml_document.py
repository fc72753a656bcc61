"""Strict YAML: a text in, a plain tree with the place of every value out.

What YAML leaves to surprise is refused with a sentence that says how to write it: anchors, aliases,
merge keys, tags, duplicate keys, several documents, YAML 1.1 words and numbers, invisible
characters (attacks rows 79-84, 86). The C parser's flat event stream is read, never composed, so
that deep nesting costs nothing.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeAlias

import yaml

from broker.core.errors import ConfigurationError, Problem

Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str | int | bool | None"
Path = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, both from 1."""

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32
MAX_PROBLEMS: Final = 50
MAX_DIGITS: Final = 64
MAX_QUOTED: Final = 40

# Control characters but the line feed, every space but the space, format characters (bidi, zero
# width, BOM, soft hyphen), line separators, lone surrogates, and what fonts draw as nothing.
_UNSEEN: Final = re.compile(
    "[\0-\x09\x0b-\x1f\x7f-\xa0\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    "\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u3000\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]*")
_LOOKS_LIKE_NUMBER: Final = re.compile(r"[-+]?\.?[0-9]|[-+]?\.(inf|nan)", re.IGNORECASE)
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]+")
_DECIMAL: Final = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE: Final = re.compile(r"[-+]?0[box][0-9a-f_]+", re.IGNORECASE)
_GROUPED: Final = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_.]*")
_SEXAGESIMAL: Final = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
_FLOAT: Final = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)(e[-+]?[0-9]+)?|[-+]?\.(inf|nan)", re.IGNORECASE
)
_OLD_TRUE: Final = frozenset({"y", "yes", "on"})
_OLD_FALSE: Final = frozenset({"n", "no", "off"})
_CONSTANTS: Final[dict[str, bool | None]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass(slots=True)
class _Node:
    """A value with its place, and those of its keys and children."""

    value: Tree
    place: Place
    children: "dict[str | int, _Node]" = field(default_factory=dict)
    key_places: dict[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file: a mapping whose every value and key knows its line and column."""

    file: str
    value: dict[str, Tree]
    lines: tuple[str, ...]
    """The source, for comments that a linter reads; `lines[0]` is line 1."""

    _root: _Node = field(repr=False, compare=False)

    def place(self, path: Path) -> Place:
        """Give line and column of the value at a path; of the nearest one above if it is absent."""
        node, _ = self._walk(path)
        return node.place

    def key_place(self, path: Path) -> Place:
        """Give line and column of the key that ends a path.

        That of the item for a list, of the nearest value above where the path leads nowhere.
        """
        parent, rest = self._walk(path[:-1])
        if rest or not path:
            return parent.place
        last = path[-1]
        if isinstance(last, str) and last in parent.key_places:
            return parent.key_places[last]
        return parent.children[last].place if last in parent.children else parent.place

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Problem:
        """Describe a fault of the value (or the key) at a path."""
        line, column = self.key_place(path) if at_key else self.place(path)
        return Problem(self.file, line, column, message)

    def _walk(self, path: Path) -> tuple[_Node, Path]:
        node = self._root
        for depth, step in enumerate(path):
            child = node.children.get(step)
            if child is None:
                return node, path[depth:]
            node = child
        return node, ()


def read(
    text: str | bytes,
    file: str,
    *,
    text_keys: Collection[str] = (),
    max_bytes: int = MAX_BYTES,
) -> Document:
    """Read one YAML mapping; an empty text is an empty mapping.

    A plain scalar under one of `text_keys` stays text where it would be refused as a date or as a
    word of YAML 1.1 elsewhere (`expires: 2027-06-30`). Raises `ConfigurationError` with every
    problem found, at most `MAX_PROBLEMS` of them.
    """
    problems: list[Problem] = []
    source = _decode(text, file, max_bytes)
    visible = _UNSEEN.sub(" ", source)
    if visible != source:
        problems += _unseen_characters(source, file)
    reader = _Reader(file, frozenset(text_keys), problems)
    root = reader.read(visible, report_syntax=not problems)
    if problems:
        ordered = sorted(problems, key=lambda each: (each.line, each.column))
        if len(ordered) > MAX_PROBLEMS:
            left = f"and {len(ordered) - MAX_PROBLEMS} more problems in this file"
            ordered = [*ordered[:MAX_PROBLEMS], Problem(file, 0, 0, left)]
        raise ConfigurationError(ordered)
    value = root.value if isinstance(root.value, dict) else {}
    return Document(file, value, tuple(source.split("\n")), root)


def _decode(text: str | bytes, file: str, max_bytes: int) -> str:
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > max_bytes:
        _refuse(file, 0, 0, f"the file is larger than {max_bytes} bytes; split it into several")
    if isinstance(text, str):
        return text
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        _refuse(file, line, column, "not UTF-8; save the file as UTF-8 without a byte order mark")


def _refuse(file: str, line: int, column: int, message: str) -> NoReturn:
    raise ConfigurationError([Problem(file, line, column, message)])


def _unseen_characters(source: str, file: str) -> Iterator[Problem]:
    """Report the first unseen character of each line."""
    for number, line in enumerate(source.split("\n"), start=1):
        found = next(_UNSEEN.finditer(line), None)
        if found is not None:
            character = found.group()
            yield Problem(file, number, found.start() + 1, _unseen_message(character, number))


def _unseen_message(character: str, line: int) -> str:
    if character == "\t":
        return "a tab; indent and separate with spaces"
    if character == "\r":
        return "a carriage return; save the file with LF line ends (git: `*.yaml text eol=lf`)"
    if character == "\ufeff" and line == 1:
        return "a byte order mark; save the file as UTF-8 without one"
    return f"the invisible or control character U+{ord(character):04X}; delete it"


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet; `key` waits for its value."""

    node: _Node
    key: str | None = None
    waiting: bool = False
    key_place: Place = (0, 0)


class _Reader:
    """Builds the tree from parse events, collecting problems as it goes."""

    def __init__(self, file: str, text_keys: frozenset[str], problems: list[Problem]) -> None:
        self._file = file
        self._text_keys = text_keys
        self._problems = problems
        self._stack: list[_Open] = []
        self._root: _Node | None = None
        self._documents = 0

    def read(self, text: str, *, report_syntax: bool) -> _Node:
        try:
            for event in yaml.parse(text, Loader=yaml.CSafeLoader):
                if not self._take(event):
                    break
        except yaml.YAMLError as error:
            if report_syntax:
                self._syntax(error)
        root = self._root or _Node({}, (1, 1))
        if not isinstance(root.value, dict) and not self._problems:
            self._report(root.place, "the file must be a mapping: `key: value` lines at its top")
        return root

    def _take(self, event: yaml.Event) -> bool:
        """Take one event; False stops the reading."""
        place = _place(event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            self._check_node(event, place)
            self._scalar(event, place)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._check_node(event, place)
            if len(self._stack) >= MAX_DEPTH:
                self._report(place, f"nested deeper than {MAX_DEPTH} levels")
                return False
            mapping = isinstance(event, yaml.MappingStartEvent)
            node = _Node({} if mapping else [], place)
            self._place_value(node)
            self._stack.append(_Open(node))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._stack.pop()
        elif isinstance(event, yaml.AliasEvent):
            self._report(place, f"the alias `*{_short(event.anchor)}`; write the value out")
            self._place_value(_Node(None, place))
        elif isinstance(event, yaml.DocumentStartEvent):
            return self._document_start(event, place)
        return True

    def _document_start(self, event: yaml.DocumentStartEvent, place: Place) -> bool:
        self._documents += 1
        if event.version or event.tags:
            self._report(place, "a `%` directive; delete it")
        if self._documents > 1:
            self._report(place, "a second document (`---`); put it into a file of its own")
            return False
        return True

    def _check_node(self, event: yaml.NodeEvent, place: Place) -> None:
        if event.anchor is not None:
            self._report(
                place, f"the anchor `&{_short(event.anchor)}`; write the value out where used"
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._report(
                place, f"the tag `{_short(tag)}`; delete it (quote the value if it is text)"
            )

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> None:
        text = event.value
        plain = not event.style
        found = None if plain else _UNSEEN.search(text)
        if found is not None:
            self._report(place, _unseen_message(found.group(), 0))
        opened = self._stack[-1] if self._stack else None
        if opened is not None and isinstance(opened.node.value, dict) and not opened.waiting:
            self._key(opened, text, place, plain=plain)
            return
        if opened is None and plain and not text:
            self._root = _Node({}, place)
            return
        key = opened.key if opened is not None else None
        value = self._plain(text, place, key) if plain else text
        self._place_value(_Node(value, place))

    def _key(self, opened: _Open, text: str, place: Place, *, plain: bool) -> None:
        opened.waiting = True
        opened.key = text
        opened.key_place = place
        if plain and text == "<<":
            self._report(place, "the merge key `<<`; write the members out")
        elif plain and (text in _CONSTANTS or self._surprise(text) or _INTEGER.fullmatch(text)):
            self._report(place, f'the key `{_short(text)}` is not text; quote it: "{_short(text)}"')
        elif not text:
            self._report(place, "an empty key")
        elif text in opened.node.key_places:
            line, _ = opened.node.key_places[text]
            self._report(place, f"the key `{_short(text)}` is here twice, first in line {line}")
            # The second value still has to be read; it must not replace the first.
            opened.key = None

    def _place_value(self, node: _Node) -> None:
        if not self._stack:
            self._root = node
            return
        opened = self._stack[-1]
        parent = opened.node
        if isinstance(parent.value, list):
            parent.children[len(parent.value)] = node
            parent.value.append(node.value)
            return
        if not opened.waiting:
            self._report(node.place, "a key that is no plain text; write `key: value`")
            opened.waiting, opened.key = True, None
            return
        opened.waiting = False
        if opened.key is not None and isinstance(parent.value, dict):
            parent.key_places[opened.key] = opened.key_place
            parent.children[opened.key] = node
            parent.value[opened.key] = node.value

    def _plain(self, text: str, place: Place, key: str | None) -> Tree:
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INTEGER.fullmatch(text) and len(text) <= MAX_DIGITS:
            return int(text)
        surprise = self._surprise(text)
        if surprise is not None and key not in self._text_keys:
            self._report(place, surprise)
        return text

    def _surprise(self, text: str) -> str | None:
        """Say what another YAML reader would make of a plain text, None if it is just text."""
        lower = text.lower()
        if lower in _OLD_TRUE or lower in _OLD_FALSE:
            word = "true" if lower in _OLD_TRUE else "false"
            return f'`{text}` is {word} to many YAML readers; write {word}, or quote it: "{text}"'
        if not _LOOKS_LIKE_NUMBER.match(text):
            return None
        return _number_surprise(text)

    def _syntax(self, error: yaml.YAMLError) -> None:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        place = _place(mark)
        cause = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        context = getattr(error, "context", None)
        where = f" ({context})" if context else ""
        self._report(place, f"not YAML: {cause}{where}; check indentation, quotes and brackets")

    def _report(self, place: Place, message: str) -> None:
        self._problems.append(Problem(self._file, *place, message))


def _place(mark: object) -> Place:
    # The C parser's mark is a type of its own, which its stubs leave open.
    return getattr(mark, "line", -1) + 1, getattr(mark, "column", -1) + 1


def _short(text: str) -> str:
    return text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 1] + "…"


def _number_surprise(text: str) -> str | None:
    whole, text = text, _short(text)
    quoted = f'quote it: "{text}"'
    if _INTEGER.fullmatch(whole):
        return f"`{text}` is a number of more than {MAX_DIGITS} digits; {quoted}"
    if _LEADING_ZERO.fullmatch(whole):
        return f"`{text}` is octal to some YAML readers and decimal to others; {quoted}"
    if _DECIMAL.fullmatch(whole):
        return f"`{text}` is a number whose sign gets lost; {quoted}"
    if _OTHER_BASE.fullmatch(whole):
        return f"`{text}` is a number in another base to many YAML readers; {quoted}"
    if _SEXAGESIMAL.fullmatch(whole):
        return f"`{text}` is a number to base 60 to many YAML readers; {quoted}"
    if _GROUPED.fullmatch(whole):
        return f"`{text}` is a number with `_` to many YAML readers; {quoted}"
    if _DATE.fullmatch(whole):
        return f"`{text}` is a date to many YAML readers; {quoted}"
    if _FLOAT.fullmatch(whole):
        return f"`{text}` is a number with a fraction or exponent; {quoted}"
    return None
