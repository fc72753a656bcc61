"""Canonical JSON, as the audit chains it: ASCII, no spaces, the members in the order of names."""

import json
from json.encoder import encode_basestring_ascii
from math import isfinite
from typing import Final

# Built once: `json.dumps` builds an encoder per call when it is given options.
canonical: Final = json.JSONEncoder(
    separators=(",", ":"), sort_keys=True, ensure_ascii=True, allow_nan=False
).encode
quoted: Final = encode_basestring_ascii
"""Write a text, as `canonical` does, without asking what it is."""


def value_text(value: object) -> str:
    """Write a value in the order of the canonical JSON; numbers at once."""
    kind = type(value)
    if kind is int:
        return str(value)
    if kind is float and isfinite(value):  # type: ignore[arg-type]
        return repr(value)
    return canonical(value)
