"""Strict JSON: what RFC 8259 leaves open and attackers use is refused.

Duplicate members, NaN and Infinity, numbers beyond a double, lone surrogates, a byte order mark,
any encoding but UTF-8 and deep nesting all raise `JsonRefused`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

MAX_DEPTH = 16


class JsonRefused(ValueError):
    """The text is not JSON that the broker accepts; the message names the cause, never the text.

    `surrogate` is set when the only fault is a lone surrogate (valid JSON, invalid Unicode).
    """

    def __init__(self, message: str, *, surrogate: bool = False) -> None:
        super().__init__(message)
        self.surrogate = surrogate


def loads_object(text: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Parse a JSON object from UTF-8 bytes, refusing everything ambiguous.

    Raises `JsonRefused`.
    """
    try:
        value = _decoded(text.decode("utf-8"))
    except JsonRefused:
        raise
    except UnicodeDecodeError:
        raise JsonRefused("not UTF-8") from None
    except RecursionError:
        raise JsonRefused("nested too deeply") from None
    except ValueError:
        # json.JSONDecodeError, or an integer of more digits than Python converts.
        raise JsonRefused("not JSON") from None
    if not isinstance(value, dict):
        raise JsonRefused("not a JSON object")
    # Most texts are flat, or hold fewer brackets than the bound: their depth need not be measured.
    flat = b"[" not in text and text.find(b"{", 1) < 0
    if not flat and _brackets(text) > max_depth and _deeper_than(value, max_depth):
        raise JsonRefused("nested too deeply")
    # Only an escape can smuggle a lone surrogate past the UTF-8 decoder.
    if b"\\" in text and b"\\u" in text and not _encodable(value):
        raise JsonRefused("a lone surrogate", surrogate=True)
    return value


def _decoded(text: str) -> object:
    """Parse a text. Raises `ValueError`, which `JsonRefused` is."""
    # Tokens have nothing before or behind their object, which `decode` would look for.
    if text.startswith("{"):
        value, end = _DECODER.raw_decode(text)
        if end == len(text):
            return value
    return _DECODER.decode(text)


def _refuse_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonRefused("a member name appears twice")
    return members


def _refuse_constant(_name: str) -> object:
    raise JsonRefused("NaN and Infinity are not JSON")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise JsonRefused("a number is out of range")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_refuse_duplicates,
    parse_constant=_refuse_constant,
    parse_float=_finite,
)


def _brackets(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[")


def _deeper_than(value: object, levels: int) -> bool:
    if isinstance(value, Mapping):
        return levels == 0 or any(_deeper_than(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_deeper_than(item, levels - 1) for item in value)
    return False


def _encodable(value: object) -> bool:
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return False
        return True
    if isinstance(value, dict):
        return all(_encodable(name) and _encodable(item) for name, item in value.items())
    if isinstance(value, list):
        return all(_encodable(item) for item in value)
    return True
