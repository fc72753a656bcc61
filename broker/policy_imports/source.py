"""Reading a peer's policy: bounded, without anything that two readers take differently."""

from collections.abc import Iterator
from typing import Final, NoReturn, cast

from broker.core.errors import ConfigurationError, Problem
from broker.core.json_text import JsonRefused, loads_object
from broker.policy_imports.json_places import json_places
from broker.yaml_document import Document, Path, Tree, read

MAX_BYTES: Final = 256 * 1024
MAX_VALUES: Final = 10_000


class NothingCarriedOver(ConfigurationError):
    """A file is read, and holds what no policy of ours may hold."""


def read_yaml(text: bytes, file: str) -> Document:
    """Read a policy in YAML. Raises `ConfigurationError` with every problem.

    Of characters that nobody sees `NothingCarriedOver`.
    """
    document = read(text, file, max_bytes=MAX_BYTES)
    _check(document)
    return document


def read_json(text: bytes, file: str) -> Document:
    """Read a policy in JSON, one object. Raises as `read_yaml` does."""
    if len(text) > MAX_BYTES:
        refuse(file, f"the file is larger than {MAX_BYTES} bytes")
    try:
        value = cast("dict[str, Tree]", loads_object(text))
    except JsonRefused as error:
        refuse(file, str(error))
    source = text.decode()
    document = Document(file, value, tuple(source.split("\n")), json_places(source))
    _check(document)
    return document


def refuse(file: str, message: str) -> NoReturn:
    """Refuse a file as a whole."""
    raise ConfigurationError([Problem(file, 0, 0, message)])


def _check(document: Document) -> None:
    """Refuse more than anybody writes, and characters that nobody sees (attacks row 175)."""
    problems: list[Problem] = []
    for number, (path, text) in enumerate(_texts(document.value, ())):
        if number >= MAX_VALUES:
            refuse(document.file, f"more than {MAX_VALUES} values")
        if isinstance(text, str) and not text.isprintable():
            problems.append(document.problem(path, "an invisible or control character; delete it"))
    if problems:
        raise NothingCarriedOver(problems[:50])


def _texts(value: Tree, path: Path) -> Iterator[tuple[Path, Tree]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key), key
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))
    else:
        yield path, value
