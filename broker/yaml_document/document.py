"""A YAML file that was read: its tree, and the line and column of every value and key in it."""

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from broker.core.errors import Problem

Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str | int | bool | None"
Path = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, both from 1."""


class Places(Protocol):
    """Where everything in a document is."""

    def place(self, path: Path) -> Place:
        """Give line and column of the value at a path; of the nearest one above if it is absent."""
        ...

    def key_place(self, path: Path) -> Place:
        """Give line and column of the key that ends a path; of the item itself in a list.

        Where the path leads nowhere, of the nearest value above.
        """
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file: a mapping whose every value and key knows its line and column."""

    file: str
    value: dict[str, Tree]
    lines: tuple[str, ...]
    """The source, for comments that a linter reads; `lines[0]` is line 1."""

    places: Places = field(repr=False, compare=False)

    def place(self, path: Path) -> Place:
        """Give line and column of the value at a path; of the nearest one above if it is absent."""
        return self.places.place(path)

    def key_place(self, path: Path) -> Place:
        """Give line and column of the key that ends a path; of the item itself in a list.

        Where the path leads nowhere, of the nearest value above.
        """
        return self.places.key_place(path)

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Problem:
        """Describe a fault of the value (or the key) at a path."""
        line, column = self.key_place(path) if at_key else self.place(path)
        return Problem(self.file, line, column, message)


@dataclass(slots=True)
class Node:
    """A mapping or list with its place, and those of its keys and items."""

    value: dict[str, Tree] | list[Tree]
    place: Place
    children: "dict[str | int, Node | Place]" = field(default_factory=dict)
    """A scalar is its place alone: there are many."""

    key_places: dict[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodePlaces:
    """Where everything is in the document of which this is the root; implements `Places`."""

    root: Node

    def place(self, path: Path) -> Place:
        """Give line and column of the value at a path; of the nearest one above if it is absent."""
        found, _ = self._walk(path)
        return found.place if isinstance(found, Node) else found

    def key_place(self, path: Path) -> Place:
        """Give line and column of the key that ends a path; of the item itself in a list.

        Where the path leads nowhere, of the nearest value above.
        """
        parent, rest = self._walk(path[:-1])
        if path and not rest and isinstance(parent, Node):
            last = path[-1]
            if isinstance(last, str) and last in parent.key_places:
                return parent.key_places[last]
        return self.place(path)

    def _walk(self, path: Path) -> tuple[Node | Place, Path]:
        """Give what lies at a path, or the nearest thing above it and the rest of the path."""
        found: Node | Place = self.root
        for depth, step in enumerate(path):
            child = found.children.get(step) if isinstance(found, Node) else None
            if child is None:
                return found, path[depth:]
            found = child
        return found, ()
