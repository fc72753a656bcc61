"""The compact form of a signed token: canonical parts, a header without tricks (RFC 7515).

Nothing here is believed yet: who reads a token verifies its signature.
"""

import binascii
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from broker.core.json_text import JsonRefused, loads_object
from broker.core.record import record
from broker.core.vocabulary import ASYMMETRIC_ALGORITHMS

COMPACT_PARTS: Final = 3

_MAX_KNOWN_HEADER: Final = 512
"""Bytes of a header's base64url that may be remembered."""

_BASE64URL: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# What base64 has besides is made a character that no base64 knows.
_TO_BASE64: Final = bytes.maketrans(b"-_+/=", b"+/\0\0\0")
# The last character of a part that is not a multiple of four long carries unused bits: zeros.
_CANONICAL_LAST: Final = {2: frozenset(b"AQgw"), 3: frozenset(b"AEIMQUYcgkosw048")}
_KEY_ID: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9._~+/=:@-]{1,256}")
# Members by which a token would choose its own key, or change how it is read (attacks row 5).
_FORBIDDEN_HEADER: Final = frozenset({
    "jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "cty", "enc",
})  # fmt: skip


class JwsRefused(ValueError):
    """The text is no token of clean form; the message names the cause, never the text."""


@record
class Header:
    """What the JSON of a header says."""

    algorithm: str | None
    """None for one that is no asymmetric signature."""

    key_id: str
    """Empty when there is none."""

    token_type: object
    fault: str | None
    """What is wrong with the rest of it."""


def split(token: str, most: int) -> tuple[bytes, Sequence[bytes]]:
    """Give a token of at most so many bytes, and its three parts. Raises `JwsRefused`."""
    try:
        text = token.encode("ascii")
    except UnicodeEncodeError:
        raise JwsRefused("it has characters outside base64url") from None
    return text, parts_of(text, most)


def parts_of(text: bytes, most: int) -> Sequence[bytes]:
    """Give the three parts of a token of at most so many bytes. Raises `JwsRefused`."""
    if len(text) > most:
        raise JwsRefused(f"it is longer than {most} bytes")
    parts = text.split(b".")
    if len(parts) != COMPACT_PARTS:
        raise JwsRefused("it is not three parts joined by dots (RFC 7515 compact form)")
    return parts


def read_header(part: bytes) -> Header:
    """Read the first part of a token. Raises `JwsRefused` for what is no JSON object."""
    return _known_header(part) if len(part) <= _MAX_KNOWN_HEADER else _read_header(part)


def decode(part: bytes) -> bytes:
    """Decode canonical base64url without padding: one text for one value (RFC 7515 §2).

    Raises `JwsRefused`.
    """
    rest = len(part) % 4
    if rest == 1 or (rest and part[-1] not in _CANONICAL_LAST[rest]):
        raise _not_base64url(part)
    try:
        value = binascii.a2b_base64(part.translate(_TO_BASE64) + b"=" * (-len(part) % 4))
    except binascii.Error:
        raise _not_base64url(part) from None
    # The decoder passes over characters that it does not know, and then there is less to give.
    if len(value) != len(part) * 3 // 4:
        raise _not_base64url(part)
    return value


@lru_cache(maxsize=256)
def _known_header(part: bytes) -> Header:
    # All that one key signs has the same header, so it is read once.
    return _read_header(part)


def _read_header(part: bytes) -> Header:
    try:
        members = loads_object(decode(part))
    except JsonRefused as error:
        raise JwsRefused(f"its header is refused: {error}") from None
    algorithm, key_id = members.get("alg"), members.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ASYMMETRIC_ALGORITHMS:
        algorithm = None
    fault = None
    if not _FORBIDDEN_HEADER.isdisjoint(members):
        fault = "its header names a key, an extension or a content type of its own"
    # Never used, but registered as texts (RFC 7515 §4.1.7, §4.1.8).
    elif not all(isinstance(members.get(name, ""), str) for name in ("x5t", "x5t#S256")):
        fault = "its header has a thumbprint that is no text"
    elif key_id is None:
        key_id = ""
    elif not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        fault = "its header has no usable 'kid'"
    return Header(algorithm, str(key_id), members.get("typ", "JWT"), fault)


def _not_base64url(part: bytes) -> JwsRefused:
    if part.translate(None, _BASE64URL):
        return JwsRefused("it has characters outside base64url")
    return JwsRefused("its base64url is not canonical")
