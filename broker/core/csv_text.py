"""Lines of CSV for a spreadsheet (RFC 4180), where no cell is taken for a formula.

A spreadsheet computes what begins with one of a few characters, and others choose texts that are
told (attacks row 173). An apostrophe before them makes the cell a text.
"""

import json
from collections.abc import Iterable
from typing import Final

# The wide forms are taken for the narrow ones in some languages of some programs.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "'", *"\uff1d\uff0b\uff0d\uff20")


def csv_line(values: Iterable[object]) -> str:
    """Give one line, with its end.

    What is null is an empty cell; what is an object or a list is its JSON.
    """
    return ",".join(_quoted(_cell(each)) for each in values) + "\r\n"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        # A number begins with nothing but itself: a minus is one.
        return json.dumps(value)
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    # Blanks before it do not stop every program.
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _quoted(cell: str) -> str:
    # A cell of several lines is one cell, but not for whoever reads line by line.
    plain = cell.replace("\r", "\\r").replace("\n", "\\n").replace("\0", "\\0")
    return '"' + plain.replace('"', '""') + '"' if any(c in plain for c in ',"') else plain
