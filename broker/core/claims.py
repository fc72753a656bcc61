"""The claims of a CI token, before and after its signature is proved, and how they read as text."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NewType

Claims = Mapping[str, Any]

UnverifiedClaims = NewType("UnverifiedClaims", Mapping[str, Any])
"""What a token says. Good for looking up its issuer, for nothing else."""

SignedClaims = NewType("SignedClaims", Mapping[str, Any])
"""Authentic: the issuer's key signed them. They may still be expired or meant for others."""

VerifiedClaims = NewType("VerifiedClaims", Mapping[str, Any])
"""Authentic, valid now and meant for this broker. Only `subject_token.verify` makes them."""


def text_of(value: object) -> str | None:
    """Give the text that conditions compare, or None for what satisfies nothing.

    Integers read as decimals and booleans as `true`/`false` (contract §4, attacks row 53); null,
    the empty string, floats, lists and objects have no text.
    """
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return None


_TEXT_OR_NOTHING: Final = frozenset({str, type(None)})


def are_texts(values: Iterable[object]) -> bool:
    """Tell whether all values are texts or null, as nearly all claims are."""
    return _TEXT_OR_NOTHING.issuperset(map(type, values))


def texts_of(claims: Claims, names: Iterable[str]) -> tuple[str | None, ...]:
    """Give what `text_of` gives for each of some claims; "" may stand for None."""
    values = tuple(map(claims.get, names))
    return values if are_texts(values) else tuple(map(text_of, values))


def is_absent(value: object) -> bool:
    """Tell whether a claim counts as absent: missing, null or the empty string."""
    return value is None or value == ""


def is_printable_ascii(text: str) -> bool:
    """Tell whether a text has only the characters from space to tilde."""
    return text.isascii() and text.isprintable()


_UPPER_TO_LOWER = {ord(upper): ord(upper) + 32 for upper in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def fold_ascii(text: str) -> str:
    """Lower-case the letters A to Z and nothing else.

    `str.lower` would also fold the Kelvin sign to `k` (attacks row 56).
    """
    return text.lower() if text.isascii() else text.translate(_UPPER_TO_LOWER)
