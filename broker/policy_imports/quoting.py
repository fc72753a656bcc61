"""What a peer's file says, made fit for a comment of ours."""

import json
from typing import Final

from broker.core.printable import printable

MAX_QUOTED: Final = 200


def quoted(value: object) -> str:
    """Write a value on one line, every character of it printable.

    NOTE: a `#` is escaped: behind one, `allow:` would accept a finding (attacks row 175).
    """
    text = json.dumps(value)
    if len(text) > MAX_QUOTED:
        text = text[:MAX_QUOTED] + "..."
    return escaped(text)


def escaped(text: str) -> str:
    """Write a text on one line in which no further comment begins."""
    return printable(text).replace("#", "\\u0023")
