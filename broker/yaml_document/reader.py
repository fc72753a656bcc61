"""From YAML text to a document, collecting every problem on the way.

The C parser's flat event stream is read, never composed, so that deep nesting costs nothing.
Refused: anchors, aliases, merge keys, tags, duplicate keys, several documents, keys that are no
text (attacks rows 79-82, 84, 86).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

import yaml

from broker.core.errors import ConfigurationError, Problem
from broker.yaml_document.document import Document, Node, NodePlaces, Place, Tree
from broker.yaml_document.scalars import (
    CONSTANTS,
    INTEGER,
    MAX_DIGITS,
    UNSEEN,
    short,
    surprise,
    unseen_message,
)

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32
MAX_PROBLEMS: Final = 50


class DocumentRefused(ConfigurationError):
    """A text is refused; `document` is what it plainly means all the same.

    It is there when nothing is wrong but plain scalars that other readers take for something else,
    so that whoever mends them is told of everything else at once. None when more is wrong.
    """

    def __init__(self, problems: Sequence[Problem], document: Document | None = None) -> None:
        super().__init__(problems)
        self.document = document


def read(
    text: str | bytes,
    file: str,
    *,
    text_keys: Collection[str] = (),
    max_bytes: int = MAX_BYTES,
) -> Document:
    """Read one YAML mapping; an empty text is an empty mapping.

    A plain scalar under one of `text_keys` stays text where it would be refused as a date or as a
    word of YAML 1.1 elsewhere (`expires: 2027-06-30`). Raises `DocumentRefused` with every problem
    found, at most `MAX_PROBLEMS` of them.
    """
    problems: list[Problem] = []
    source = _decode(text, file, max_bytes)
    visible = UNSEEN.sub(" ", source)
    if visible != source:
        problems += _unseen_characters(source, file)
    reader = _Reader(file, frozenset(text_keys), problems)
    unseen = bool(problems)
    root = reader.read(visible, report_syntax=not unseen)
    value = root.value if isinstance(root.value, dict) else {}
    document = Document(file, value, tuple(source.split("\n")), NodePlaces(root))
    if problems:
        ordered = sorted(problems, key=lambda each: (each.line, each.column))
        if len(ordered) > MAX_PROBLEMS:
            left = f"and {len(ordered) - MAX_PROBLEMS} more problems in this file"
            ordered = [*ordered[:MAX_PROBLEMS], Problem(file, 0, 0, left)]
        raise DocumentRefused(ordered, document if reader.is_plain and not unseen else None)
    return document


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
    raise DocumentRefused([Problem(file, line, column, message)])


def _unseen_characters(source: str, file: str) -> Iterator[Problem]:
    """Report the first unseen character of each line."""
    for number, line in enumerate(source.split("\n"), start=1):
        found = next(UNSEEN.finditer(line), None)
        if found is not None:
            character = found.group()
            yield Problem(file, number, found.start() + 1, unseen_message(character, number))


class _Mark(Protocol):
    line: int
    column: int


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet; `key` waits for its value."""

    node: Node
    mapping: bool
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
        self._root: Node | Place | None = None
        self._documents = 0
        self.is_plain = True
        """Whether all that was reported are plain scalars that mean something else elsewhere."""

    def read(self, text: str, *, report_syntax: bool) -> Node:
        try:
            for event in yaml.parse(text, Loader=yaml.CSafeLoader):
                if not self._take(event):
                    break
        except yaml.YAMLError as error:
            if report_syntax:
                self._syntax(error)
        root = self._root
        if isinstance(root, Node) and isinstance(root.value, dict):
            return root
        if root is not None and not self._problems:
            place = root.place if isinstance(root, Node) else root
            self._report(place, "the file must be a mapping: `key: value` lines at its top")
        return Node({}, (1, 1))

    def _take(self, event: yaml.Event) -> bool:
        """Take one event; False stops the reading."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, _place(event.start_mark))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._stack.pop()
        elif isinstance(event, yaml.CollectionStartEvent):
            return self._collection(event, _place(event.start_mark))
        elif isinstance(event, yaml.AliasEvent):
            place = _place(event.start_mark)
            self._report(place, f"the alias `*{short(event.anchor or '')}`; write the value out")
            self._put(None, place, place)
        elif isinstance(event, yaml.DocumentStartEvent):
            return self._document_start(event, _place(event.start_mark))
        return True

    def _document_start(self, event: yaml.DocumentStartEvent, place: Place) -> bool:
        self._documents += 1
        if event.version or event.tags:
            self._report(place, "a `%` directive; delete it")
        if self._documents > 1:
            self._report(place, "a second document (`---`); put it into a file of its own")
            return False
        return True

    def _check_node(
        self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, place: Place
    ) -> None:
        if event.anchor is not None:
            self._report(place, f"the anchor `&{short(event.anchor)}`; write the value out")
        if event.tag is not None:
            self._report(place, f"the tag `{short(event.tag)}`; delete it (quote text)")

    def _collection(self, event: yaml.CollectionStartEvent, place: Place) -> bool:
        self._check_node(event, place)
        if len(self._stack) >= MAX_DEPTH:
            self._report(place, f"nested deeper than {MAX_DEPTH} levels")
            return False
        mapping = isinstance(event, yaml.MappingStartEvent)
        node = Node({} if mapping else [], place)
        self._put(node.value, node, place)
        self._stack.append(_Open(node, mapping))
        return True

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> None:
        self._check_node(event, place)
        text = event.value
        plain = not event.style
        if not plain and (found := UNSEEN.search(text)):
            self._report(place, unseen_message(found.group(), 0))
        if not self._stack:
            # An empty document is one empty scalar; it leaves the root unset.
            self._root = None if plain and not text else place
            return
        opened = self._stack[-1]
        if opened.mapping and not opened.waiting:
            self._key(opened, text, place, plain=plain)
        else:
            self._put(self._plain(text, place, opened.key) if plain else text, place, place)

    def _key(self, opened: _Open, text: str, place: Place, *, plain: bool) -> None:
        opened.waiting = True
        opened.key = text
        opened.key_place = place
        if plain and text == "<<":
            self._report(place, "the merge key `<<`; write the members out")
        elif plain and (text in CONSTANTS or surprise(text) or INTEGER.fullmatch(text)):
            fault = f'the key `{short(text)}` is not text; quote it: "{short(text)}"'
            self._report(place, fault, plain=True)
        elif not text:
            self._report(place, "an empty key")
        elif text in opened.node.key_places:
            line, _ = opened.node.key_places[text]
            self._report(place, f"the key `{short(text)}` is here twice, first in line {line}")
            # The second value still has to be read; it must not replace the first.
            opened.key = None

    def _put(self, value: Tree, found: Node | Place, place: Place) -> None:
        """Put a value into the innermost open collection."""
        if not self._stack:
            self._root = found
            return
        opened = self._stack[-1]
        parent = opened.node
        if isinstance(parent.value, list):
            parent.children[len(parent.value)] = found
            parent.value.append(value)
        elif not opened.waiting:
            self._report(place, "a key that is no plain text; write `key: value`")
            opened.waiting, opened.key = True, None
        else:
            opened.waiting = False
            if opened.key is not None:
                parent.key_places[opened.key] = opened.key_place
                parent.children[opened.key] = found
                parent.value[opened.key] = value

    def _plain(self, text: str, place: Place, key: str | None) -> Tree:
        if text in CONSTANTS:
            return CONSTANTS[text]
        if INTEGER.fullmatch(text) and len(text) <= MAX_DIGITS:
            return int(text)
        fault = surprise(text)
        if fault is not None and key not in self._text_keys:
            self._report(place, fault, plain=True)
        return text

    def _syntax(self, error: yaml.YAMLError) -> None:
        if not isinstance(error, yaml.MarkedYAMLError):
            self._report((0, 0), "not YAML: a character that cannot be read")
            return
        cause = error.problem or "unreadable"
        if error.context and error.context_mark:
            line, column = _place(error.context_mark)
            cause = f"{cause} {error.context} that begins at {line}:{column}"
        place = _place(error.problem_mark)
        self._report(place, f"not YAML: {cause}; check indentation, quotes and brackets")

    def _report(self, place: Place, message: str, *, plain: bool = False) -> None:
        self.is_plain = self.is_plain and plain
        self._problems.append(Problem(self._file, *place, message))


def _place(mark: _Mark | None) -> Place:
    return (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
