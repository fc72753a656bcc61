"""Audit events as rows for a spreadsheet (RFC 4180), where no cell is taken for a formula.

A spreadsheet computes what begins with one of a few characters, and whoever runs a job chooses
texts of its events (attacks row 173). An apostrophe before them makes the cell a text.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from broker.core.audit import AuditEvent

HEADER: Final = (
    "seq",
    *AuditEvent(id="", time=0.0, type="", outcome="").members(),
    "prev",
    "hash",
)
"""The members of an event, in the order of its line."""

# The wide forms are taken for the narrow ones in some languages of some programs.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "'", *"\uff1d\uff0b\uff0d\uff20")


def header() -> str:
    """Give the first line, with its end."""
    return _line(HEADER)


def row(members: Mapping[str, Any]) -> str:
    """Give the line of an event, with its end.

    A member that is null is an empty cell; one that is an object or a list is its JSON.
    """
    return _line([_cell(members.get(name)) for name in HEADER])


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        # A number begins with nothing but itself: a minus is one.
        return json.dumps(value)
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    # Blanks before it do not stop every program.
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _line(cells: Sequence[str]) -> str:
    return ",".join(map(_quoted, cells)) + "\r\n"


def _quoted(cell: str) -> str:
    # A cell of several lines is one cell, but not for whoever reads line by line.
    plain = cell.replace("\r", "\\r").replace("\n", "\\n").replace("\0", "\\0")
    return '"' + plain.replace('"', '""') + '"' if any(c in plain for c in ',"') else plain
