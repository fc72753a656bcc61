"""Conditions put into policy files as text, beside those that are there: nothing else moves.

Comments, quotes, order and blank lines are the author's. A file is never written from its tree: a
line goes below the last line of a value, or a member behind a value between braces.
"""

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, Protocol

import yaml

from broker.core.condition_text import yaml as yaml_text
from broker.policy_files.build import read_document
from broker.yaml_document import Document, DocumentRefused, Path, Tree

_BLOCKS_OF_TEXT: Final = ("|", ">")
_MAX_PLAIN_DIGITS: Final = 18
"""Of how many digits a number is written without quotes."""


@dataclass(frozen=True, slots=True)
class Addition:
    """One member for a mapping of a file: where, beside which key, and what."""

    mapping: Path
    beside: str
    key: str
    value: tuple[str, ...]
    """Ids in decimal digits: one stands alone, several are a list."""

    @property
    def written(self) -> Tree:
        """The value as a file holds it: an id as a number."""
        values: list[Tree] = [
            int(each) if len(each) <= _MAX_PLAIN_DIGITS else each for each in self.value
        ]
        return values[0] if len(values) == 1 else values

    def line(self) -> str:
        """Give the member as a line to paste."""
        return f"{yaml_text(self.key)}: {yaml_text(self.written)}"


@dataclass(frozen=True, slots=True)
class Insertion:
    """A text that was put into another one: where it begins there, in characters, and what."""

    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class Edited:
    """A file with additions."""

    file: str
    before: str
    insertions: tuple[Insertion, ...]
    """By place."""

    @property
    def after(self) -> str:
        """The text with all of them."""
        parts, end = [], 0
        for each in self.insertions:
            parts += [self.before[end : each.offset], each.text]
            end = each.offset
        return "".join([*parts, self.before[end:]])


def edited(
    document: Document, additions: Sequence[Addition]
) -> tuple[Edited, Mapping[Addition, str]]:
    """Put additions into a file; give those that cannot be, and why, beside the result.

    What comes out was read again, and says what the file said and the additions, nothing else.
    """
    text = "\n".join(document.lines)
    places = _places(text, {(*each.mapping, each.beside) for each in additions})
    starts = [0, *accumulate(len(line) + 1 for line in document.lines)]
    refused: dict[Addition, str] = {}
    found: list[tuple[Addition, Insertion]] = []
    for each in additions:
        member = places.get((*each.mapping, each.beside))
        try:
            found.append((each, _insertion(each, member, document.lines, starts)))
        except _CannotInsert as error:
            refused[each] = str(error)
    found.sort(key=lambda each: each[1].offset)
    result = Edited(document.file, text, tuple(insertion for _, insertion in found))
    if _says(result.after, document.file) != _meant(document.value, [each for each, _ in found]):
        why = "the file would not say what it should"
        refused |= {each: why for each, _ in found}
        result = Edited(document.file, text, ())
    return result, refused


class _CannotInsert(Exception):
    """A text cannot be put there; the message says why."""


@dataclass(frozen=True, slots=True)
class _Member:
    """Where one member of a mapping stands; lines and columns from 0."""

    key: tuple[int, int]
    end: tuple[int, int]
    """Behind the last sign of its value."""

    flow: bool
    """Whether its mapping stands between braces."""

    quoted: bool
    """Whether its key stands in double quotes, as in JSON."""

    block: bool
    """Whether a block of text ends its value."""


def _insertion(
    addition: Addition, member: _Member | None, lines: Sequence[str], starts: Sequence[int]
) -> Insertion:
    """Work out where an addition goes; `starts` is where each line begins in the text."""
    if member is None:
        raise _CannotInsert("there is nothing to put it beside")
    line, column = member.end
    key = json.dumps(addition.key) if member.quoted else yaml_text(addition.key)
    text = f"{key}: {yaml_text(addition.written)}"
    if member.flow:
        return Insertion(starts[line] + column, f", {text}")
    key_line, indent = member.key
    if lines[key_line][:indent].strip(" "):
        raise _CannotInsert("its key does not begin a line")
    if member.block:
        raise _CannotInsert("its value is a block of text")
    rest = lines[line][column:]
    if rest.strip(" ") and not rest.lstrip(" ").startswith("#"):
        raise _CannotInsert("something follows on its line")
    return Insertion(starts[line] + len(lines[line]), f"\n{' ' * indent}{text}")


def _says(text: str, file: str) -> object:
    try:
        return read_document(text, file).value
    except DocumentRefused:
        return None


def _meant(value: Mapping[str, Tree], additions: Sequence[Addition]) -> object:
    meant: dict[str, Tree] = json.loads(json.dumps(value))
    for each in additions:
        inner: Tree = meant
        for step in each.mapping:
            inner = inner[step]  # type: ignore[index]
        inner[each.key] = each.written  # type: ignore[index,call-overload]
    return meant


@dataclass(slots=True)
class _Open:
    """A mapping or list under way."""

    path: Path
    mapping: bool
    flow: bool
    key: str | None = None
    key_at: tuple[int, int] = (0, 0)
    quoted: bool = False
    items: int = 0


@dataclass(slots=True)
class _Places:
    """Finds where members stand, by the events of the parser."""

    wanted: frozenset[Path]
    found: dict[Path, _Member] = field(default_factory=dict)
    _stack: list[_Open] = field(default_factory=list)
    _end: tuple[int, int] = (0, 0)
    _block: bool = False

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        if isinstance(event, yaml.ScalarEvent):
            opened = self._stack[-1]
            if opened.mapping and opened.key is None:
                opened.key = event.value
                opened.key_at = _at(event.start_mark)
                opened.quoted = event.style == '"'
                return
            self._ends(event)
            self._block = event.style in _BLOCKS_OF_TEXT
            self._closed()
        elif isinstance(event, yaml.CollectionStartEvent):
            mapping = isinstance(event, yaml.MappingStartEvent)
            path = (*self._stack[-1].path, self._step()) if self._stack else ()
            self._stack.append(_Open(path, mapping, bool(event.flow_style)))
        elif isinstance(event, yaml.CollectionEndEvent):
            opened = self._stack.pop()
            if opened.flow:
                # Without braces it ends with its last value: its end mark is further down.
                self._ends(event)
                self._block = False
            self._closed()

    def _ends(self, event: yaml.Event) -> None:
        self._end = _at(event.end_mark)

    def _step(self) -> str | int:
        opened = self._stack[-1]
        return opened.key or "" if opened.mapping else opened.items

    def _closed(self) -> None:
        """Note where the value ends that was read."""
        if not self._stack:
            return
        opened = self._stack[-1]
        path = (*opened.path, self._step())
        if opened.mapping and path in self.wanted:
            self.found[path] = _Member(
                opened.key_at, self._end, opened.flow, opened.quoted, self._block
            )
        opened.key = None
        opened.items += 1


class _Mark(Protocol):
    line: int
    column: int


def _at(mark: _Mark | None) -> tuple[int, int]:
    return (mark.line, mark.column) if mark is not None else (0, 0)


def _places(text: str, wanted: set[Path]) -> Mapping[Path, _Member]:
    places = _Places(frozenset(wanted))
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, (yaml.NodeEvent, yaml.CollectionEndEvent)):
            places.take(event)
    return places.found


def changed_lines(edit: Edited) -> Iterator[tuple[str, ...]]:
    """Give each line of the text of before, with its line feed, and the lines it has become.

    The first is the line of before, the rest those of after; where these begin with another one,
    it was changed.
    """
    pending = deque(edit.insertions)
    start = 0
    for line in edit.before.splitlines(keepends=True):
        # What goes behind the last line of a text without a line feed belongs to that line.
        end = start + len(line) + (start + len(line) == len(edit.before))
        text, at = "", start
        while pending and pending[0].offset < end:
            insertion = pending.popleft()
            text += edit.before[at : insertion.offset] + insertion.text
            at = insertion.offset
        text += edit.before[at : start + len(line)]
        yield (line, *text.splitlines(keepends=True))
        start += len(line)
