"""Texts of other languages with places for values, written as `«name»`."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

_PLACE: Final = re.compile("«([a-z_]+)»")


class Code(str):
    """A text that is code of the language already."""

    __slots__ = ()


@cache
def template(name: str) -> str:
    """Give one of the templates that are part of this package."""
    return files("broker.snippets").joinpath("templates", name).read_text("utf-8")


def fill(text: str, quote: Callable[[str], str], **values: str | Sequence[str]) -> str:
    """Put values at their places; a sequence becomes a list without brackets.

    A `str` is quoted, `Code` is not. Raises `ValueError` for a value that cannot be quoted, and
    `KeyError` for a place without one.
    """

    def written(found: re.Match[str]) -> str:
        value = values[found[1]]
        if isinstance(value, Code):
            return value
        if isinstance(value, str):
            return quote(value)
        return ", ".join(map(quote, value))

    return _PLACE.sub(written, text)
