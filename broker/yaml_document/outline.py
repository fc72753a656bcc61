"""A document recalled from an outline: its tree without reading it again, its places when asked.

Reading a text takes most of the time of loading policies. Where the text is the same as before, its
tree is known, and of the places hardly any is needed unless something is wrong.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from broker.yaml_document.document import Document, Path, Place

_ENTRY_DEPTH: Final = 2


def outline(document: Document) -> bytes:
    """Sum up a document: its tree, and the places of its entries (the second level)."""
    places = {
        section: {name: document.key_place((section, name)) for name in entries}
        if isinstance(entries, dict)
        else [document.place((section, index)) for index in range(len(entries))]
        for section, entries in document.value.items()
        if isinstance(entries, dict | list)
    }
    return json.dumps([document.value, places], separators=(",", ":")).encode()


def recall(
    outlined: bytes, text: str | bytes, file: str, read: Callable[[str | bytes, str], Document]
) -> Document:
    """Make the document of a text again, of which `outlined` is the outline.

    It is read only when a place is asked that the outline has not.
    """
    value, places = json.loads(outlined)
    source = text if isinstance(text, str) else text.decode()
    read_again = _RecalledPlaces(places, lambda: read(text, file))
    return Document(file, value, tuple(source.split("\n")), read_again)


@dataclass(frozen=True)
class _RecalledPlaces:
    """Knows where the entries are, and reads the text for all else; implements `Places`."""

    entries: Mapping[str, Any]
    read_again: Callable[[], Document]

    @cached_property
    def document(self) -> Document:
        return self.read_again()

    def place(self, path: Path) -> Place:
        return self._of_item(path) or self.document.place(path)

    def key_place(self, path: Path) -> Place:
        return self._of_name(path) or self._of_item(path) or self.document.key_place(path)

    def _of_name(self, path: Path) -> Place | None:
        """Find where the name of an entry is, in a mapping of entries."""
        if len(path) != _ENTRY_DEPTH:
            return None
        section, name = path
        entries = self.entries.get(str(section))
        # As JSON it is a list.
        place = entries.get(name) if isinstance(entries, dict) else None
        return None if place is None else (place[0], place[1])

    def _of_item(self, path: Path) -> Place | None:
        """Find where an item is, in a list of entries."""
        match path:
            case (str(section), int(index)) if isinstance(self.entries.get(section), list):
                for line, column in self.entries[section][index : index + 1]:
                    return line, column
        return None
