"""Rows as JSON in the fields of hashes; what is no text is written in base64.

A row that grants and cannot be read is given without content. No seal holds for that, so it counts
as altered, like one of which only a bit was changed, and whoever reads it alarms.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError)
"""What is raised where a row that somebody else has written is read."""

_compact: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def row_text(members: Mapping[str, Any]) -> str:
    """Write a row; bytes become base64."""
    return _compact(
        {
            name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
            for name, value in members.items()
        }
    )


def read_row(text: bytes) -> dict[str, Any]:
    """Read a row; bytes are left as base64. Raises `ValueError`."""
    members: dict[str, Any] = json.loads(text)
    return members


def content(members: Mapping[str, Any], name: str) -> bytes:
    """Give what is bytes in a row."""
    return base64.b64decode(members[name])


def pairs(answer: dict[bytes, bytes] | list[bytes]) -> dict[bytes, bytes]:
    """Give the fields of a hash, as either protocol answers them."""
    if isinstance(answer, dict):
        return answer
    return dict(zip(answer[::2], answer[1::2], strict=True))
