"""How a plain scalar reads: YAML 1.2 where every reader agrees, a sentence where they differ.

Words and numbers that YAML 1.1 takes for something else (`no`, `012`, `1:30`, dates), fractions,
and characters that nobody sees (attacks rows 83, 86).
"""

import re
from typing import Final

MAX_DIGITS: Final = 64
MAX_QUOTED: Final = 40

# Control characters but the line feed, every space but the space, format characters (bidi, zero
# width, BOM, soft hyphen), line separators, lone surrogates, and what fonts draw as nothing.
UNSEEN: Final = re.compile(
    "[\0-\x09\x0b-\x1f\x7f-\xa0\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    "\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u3000\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
INTEGER: Final = re.compile(r"0|-?[1-9][0-9]*")
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]+")
_DECIMAL: Final = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE: Final = re.compile(r"[-+]?0[box][0-9a-f_]+", re.IGNORECASE)
_GROUPED: Final = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_.]*")
_SEXAGESIMAL: Final = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
_FLOAT: Final = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)(e[-+]?[0-9]+)?|[-+]?\.(inf|nan)", re.IGNORECASE
)
_OLD_WORDS: Final = {
    spelling: meaning
    for meaning, words in (("true", ("y", "yes", "on")), ("false", ("n", "no", "off")))
    for word in words
    for spelling in (word, word.upper(), word.capitalize())
}
_NUMBER_BEGINS: Final = frozenset("+-.0123456789")
CONSTANTS: Final[dict[str, bool | None]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def surprise(text: str) -> str | None:
    """Say what another YAML reader would make of a plain text, None if it is just text."""
    word = _OLD_WORDS.get(text)
    if word is not None:
        return f'`{text}` is {word} to many YAML readers; write {word}, or quote it: "{text}"'
    return _number_surprise(text) if text[:1] in _NUMBER_BEGINS else None


def _number_surprise(text: str) -> str | None:
    whole, text = text, short(text)
    quoted = f'quote it: "{text}"'
    if INTEGER.fullmatch(whole):
        return f"`{text}` is a number of more than {MAX_DIGITS} digits; {quoted}"
    if _LEADING_ZERO.fullmatch(whole):
        return f"`{text}` is octal to some YAML readers and decimal to others; {quoted}"
    if _DECIMAL.fullmatch(whole):
        return f"`{text}` is a number whose sign gets lost; {quoted}"
    if _OTHER_BASE.fullmatch(whole):
        return f"`{text}` is a number in another base to many YAML readers; {quoted}"
    if _SEXAGESIMAL.fullmatch(whole):
        return f"`{text}` is a number to base 60 to many YAML readers; {quoted}"
    if _GROUPED.fullmatch(whole):
        return f"`{text}` is a number with `_` to many YAML readers; {quoted}"
    if _DATE.fullmatch(whole):
        return f"`{text}` is a date to many YAML readers; {quoted}"
    if _FLOAT.fullmatch(whole):
        return f"`{text}` is a number with a fraction or exponent; {quoted}"
    return None


def unseen_message(character: str, line: int) -> str:
    """Say which unseen character this is and what to do about it."""
    if character == "\t":
        return "a tab; indent and separate with spaces"
    if character == "\r":
        return "a carriage return; save the file with LF line ends (git: `*.yaml text eol=lf`)"
    if character == "\ufeff" and line == 1:
        return "a byte order mark; save the file as UTF-8 without one"
    return f"the invisible or control character U+{ord(character):04X}; delete it"


def short(text: str) -> str:
    """Cut a text for quoting it in a message."""
    return text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 1] + "…"
