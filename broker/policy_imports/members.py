"""Members of a peer's policy, each of the type that the peer takes."""

from collections.abc import Mapping

from broker.core.errors import ConfigurationError
from broker.yaml_document import Document, Path, Tree


def text_in(document: Document, path: Path, value: Tree) -> str:
    """Give a text. Raises `ConfigurationError`."""
    if not isinstance(value, str):
        raise ConfigurationError([document.problem(path, "must be a text")])
    return value


def texts_in(
    document: Document, path: Path, value: Tree, *, commas: bool = False
) -> list[tuple[Path, str]]:
    """Give one text or a list of them, with their places. Raises `ConfigurationError`.

    With `commas` one text holds several with commas between them.
    """
    if isinstance(value, list):
        return [
            ((*path, index), text_in(document, (*path, index), item))
            for index, item in enumerate(value)
        ]
    text = text_in(document, path, value)
    parts = [each.strip() for each in text.split(",")] if commas else [text]
    return [(path, each) for each in parts if each or not commas]


def mapping_in(document: Document, path: Path, value: Tree) -> Mapping[str, Tree]:
    """Give a mapping. Raises `ConfigurationError`."""
    if not isinstance(value, dict):
        raise ConfigurationError([document.problem(path, "must be a mapping")])
    return value
