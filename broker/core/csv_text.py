"""Lines of CSV for a spreadsheet (RFC 4180), where no cell is taken for a formula.

A spreadsheet computes what begins with one of a few characters, and others choose texts that are
told (attacks row 173). An apostrophe before them makes the cell a text.
"""

import json
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

# Blanks and quotation marks before it do not stop every program, and the wide forms are taken for
# the narrow ones in some languages of some.
_FORMULA: Final = re.compile("[\\s\"]*[=+\\-@|%'\uff1d\uff0b\uff0d\uff20]|[\\t\\r\\n]")
# Orders to a terminal, marks that reverse the writing, and halves of characters.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


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
    return f"'{text}" if _FORMULA.match(text) else text


def _quoted(cell: str) -> str:
    # A cell of several lines is one cell, but not for whoever reads line by line.
    plain = cell if cell.isprintable() else "".join(map(_seen, cell))
    return '"' + plain.replace('"', '""') + '"' if any(c in plain for c in ',"') else plain


def _seen(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN:
        return character
    return "\\0" if character == "\0" else character.encode("unicode_escape").decode()
