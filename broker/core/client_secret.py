"""Client secrets: their form, which refuses a mistyped one offline, and their digest.

A secret is exactly 64 characters `[A-Za-z0-9_]` (contract §5), so that it means the same whether a
client encodes it for Basic or not: `sa_`, the configured prefix, `_`, random characters, and six
that check the rest. What is stored is a digest under a pepper that the store does not hold.
"""

import hashlib
import hmac
import re
import zlib
from collections.abc import Callable
from typing import Final

LENGTH: Final = 64
CHECKSUM_LENGTH: Final = 6
MIN_RANDOM_LENGTH: Final = 32
"""Characters of 62 that are random: 190 bits."""

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS: Final = [first + second for first in _ALPHABET for second in _ALPHABET]
_FORM: Final = re.compile(r"sa_[A-Za-z0-9]+_[A-Za-z0-9]+")
# The largest multiple of 62 in a byte: what lies above would favour some characters.
_UNBIASED: Final = 248


def generate(prefix: str, random_bytes: Callable[[int], bytes]) -> str:
    """Make a secret; `random_bytes` gives that many from the system's source.

    Raises `ValueError` for a prefix that leaves too little room.
    """
    start = f"sa_{prefix}_"
    length = LENGTH - CHECKSUM_LENGTH - len(start)
    if length < MIN_RANDOM_LENGTH:
        raise ValueError("the prefix is too long for a secret")
    drawn = ""
    while len(drawn) < length:
        drawn += "".join(
            _ALPHABET[byte % len(_ALPHABET)] for byte in random_bytes(length) if byte < _UNBIASED
        )
    body = start + drawn[:length]
    return body + _checksum(body)


def is_well_formed(secret: str) -> bool:
    """Tell whether a text can be a secret at all: its form, length and checksum."""
    if len(secret) != LENGTH or not secret.isascii() or not _FORM.fullmatch(secret):
        return False
    body, check = secret[:-CHECKSUM_LENGTH], secret[-CHECKSUM_LENGTH:]
    return hmac.compare_digest(check.encode(), _checksum(body).encode())


def digest(secret: str, pepper: bytes) -> bytes:
    """Give what is stored in place of a secret: 32 bytes (HMAC-SHA256).

    A secret has as much entropy as a key, so that no slow hash is needed; without the pepper a copy
    of the store does not even tell whether a guess is right. Any text has a digest, so that a wrong
    one takes as long as a right one (attacks row 122).
    """
    return hmac.digest(pepper, secret.encode("utf-8", "surrogatepass"), hashlib.sha256)


def _checksum(body: str) -> str:
    """Write the CRC-32 of the rest in six characters."""
    # Two characters at a time: it is written for every request with a secret.
    number, low = divmod(zlib.crc32(body.encode()), len(_PAIRS))
    high, middle = divmod(number, len(_PAIRS))
    return _PAIRS[high] + _PAIRS[middle] + _PAIRS[low]
