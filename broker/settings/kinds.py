"""The kinds of values that settings have, each checked wherever it comes from.

A file gives YAML values, a variable gives text. A key turns either into what the broker reads, or
raises `Unusable` with what is wrong and how to write it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from broker.core.durations import DurationRefused, seconds_of
from broker.core.errors import ConfigurationError
from broker.yaml_document import Tree, read

T = TypeVar("T")
D = TypeVar("D")

LONGEST_DURATION: Final = 3650 * 86_400


Place = tuple[str | int, ...]
"""Where in a value: keys and numbers of items, from the outside in."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a value, or with a part of it."""

    message: str
    within: Place = ()
    at_key: bool = False
    """Whether it is the key there that is wrong, not its value."""


class Unusable(ValueError):
    """A setting cannot have this value; holds every fault of it."""

    def __init__(self, *faults: str | Fault) -> None:
        super().__init__(*faults)
        self.faults = tuple(Fault(each) if isinstance(each, str) else each for each in faults)


@dataclass(frozen=True, slots=True)
class Key(Generic[T]):
    """One setting: where it stands, what it accepts, what holds when it is not given."""

    path: tuple[str, ...]
    accept: Callable[[Tree], T]
    """Takes a YAML value. Raises `Unusable`."""

    default: T
    from_text: Callable[[str], Tree]
    """Takes the text of a variable. Raises `Unusable`."""

    @property
    def variable(self) -> str:
        """The name of the variable that sets it."""
        return "BROKER_" + "__".join(self.path).upper()


def filled(given: str) -> Tree:
    """Take the text of a variable as it is, unless it is empty or cannot be printed."""
    if not given:
        raise Unusable("empty; unset the variable to have the default")
    return _printable(given)


def text(
    path: str,
    check: Callable[[str], T],
    default: D,
    from_text: Callable[[str], Tree] = filled,
) -> Key[T | D]:
    """Make a setting that is written as text."""

    def accept(value: Tree) -> T | D:
        if isinstance(value, int) and not isinstance(value, bool):
            # Quotes alone may not mend it; then the fault of the text says more.
            check(str(value))
        return check(_as_text(value))

    return Key(_split(path), accept, default, from_text)


def texts(path: str, check: Callable[[str], T], default: tuple[T, ...]) -> Key[tuple[T, ...]]:
    """Make a setting that is a list of texts; a variable holds it with commas or as YAML."""

    def accept(value: Tree) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise Unusable(f"{kind_of(value)} where a list belongs, such as [a, b]")
        items: list[T] = []
        faults: list[Fault] = []
        for number, item in enumerate(value):
            try:
                items.append(check(_as_text(item)))
            except Unusable as unusable:
                faults += [Fault(each.message, (number,)) for each in unusable.faults]
        if faults:
            raise Unusable(*faults)
        return tuple(items)

    return Key(_split(path), accept, default, _list_from_text)


def number(path: str, default: int, *, at_most: int) -> Key[int]:
    """Make a setting that is a whole number from 0."""

    def accept(value: Tree) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Unusable(f"{kind_of(value)} where a whole number belongs")
        if not 0 <= value <= at_most:
            raise Unusable(f"{shown(str(value))} is not from 0 to {at_most}")
        return value

    def from_text(given: str) -> Tree:
        if not given.isdecimal() or not given.isascii() or len(given) > len(str(at_most)):
            raise Unusable(f"{shown(given)} is no whole number from 0 to {at_most}")
        return int(given)

    return Key(_split(path), accept, default, from_text)


def flag(path: str, *, default: bool) -> Key[bool]:
    """Make a setting that is `true` or `false`."""

    def accept(value: Tree) -> bool:
        if not isinstance(value, bool):
            raise Unusable(f"{kind_of(value)} where true or false belongs, without quotes")
        return value

    def from_text(given: str) -> Tree:
        if given not in {"true", "false"}:
            raise Unusable(f"{shown(given)} is neither true nor false")
        return given == "true"

    return Key(_split(path), accept, default, from_text)


def duration(
    path: str, default: str, *, at_least: int = 1, at_most: int = LONGEST_DURATION
) -> Key[int]:
    """Make a setting that is a duration; its value, like the bounds, is in seconds."""

    def accept(value: Tree) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise Unusable(f"{kind_of(value)} where a duration such as 10m belongs")
        if value.isdecimal():
            raise Unusable(f"{shown(value)} has no unit; seconds are written {shown(value + 's')}")
        try:
            return seconds_of(value, minimum=at_least, maximum=at_most)
        except DurationRefused as refused:
            raise Unusable(f"{shown(value)} {refused}") from None

    return Key(_split(path), accept, accept(default), filled)


def escaped(value: str, longest: int = 60) -> str:
    """Cut a text, and escape it so that it stays on its line and shows nothing but itself."""
    cut = value if len(value) <= longest else value[: longest - 1] + "…"
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in cut
    )


def shown(value: str) -> str:
    """Quote a text for a message."""
    return f"`{escaped(value)}`"


def kind_of(value: Tree) -> str:
    """Say what a YAML value is."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _split(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def _as_text(value: Tree) -> str:
    if isinstance(value, str):
        return value
    hint = "; put it into quotes" if isinstance(value, int) else ""
    if value is None:
        hint = "; delete the line to have the default"
    raise Unusable(f"{kind_of(value)} where a text belongs{hint}")


def _printable(given: str) -> str:
    if not given.isprintable():
        raise Unusable("it holds a line break or another character that cannot be printed")
    return given


def _list_from_text(given: str) -> Tree:
    if not _printable(given).strip():
        return []
    if given.startswith("["):
        try:
            return read(f"list: {given}", "").value["list"]
        except ConfigurationError as error:
            raise Unusable(*(problem.message for problem in error.problems)) from None
    return [item.strip() for item in given.split(",")]
