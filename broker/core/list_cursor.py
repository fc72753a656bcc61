"""Cursors: where the next page of a list begins, as a text that only that list understands."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Final

_DIGEST_BYTES: Final = 12
_MAX_LENGTH: Final = 512


class CursorRefused(ValueError):
    """The text is no cursor of this list with these filters."""


def write_cursor(name: str, filters: Mapping[str, str], position: str) -> str:
    """Write down where a list goes on: behind `position`, for the same filters alone.

    `filters` are as they were asked for. A cursor holds no secret and proves no right: whoever
    uses it is shown what it may see.
    """
    text = position.encode()
    return base64.urlsafe_b64encode(_digest(name, filters, text) + text).rstrip(b"=").decode()


def read_cursor(name: str, filters: Mapping[str, str], cursor: str) -> str:
    """Read the position back. Raises `CursorRefused` for one of another list or other filters."""
    if len(cursor) > _MAX_LENGTH:
        raise CursorRefused("it is too long")
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        digest, text = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        position = text.decode()
    except (binascii.Error, ValueError):
        raise CursorRefused("it is not one that the broker gave") from None
    if digest != _digest(name, filters, text):
        raise CursorRefused("it belongs to another list, or to other filters")
    return position


def _digest(name: str, filters: Mapping[str, str], position: bytes) -> bytes:
    about = json.dumps([name, dict(sorted(filters.items()))]).encode()
    return hashlib.sha256(about + b"\0" + position).digest()[:_DIGEST_BYTES]
