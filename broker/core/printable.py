"""Text that strangers chose, made fit for terminals and logs."""

import re
from typing import Final

# Runners of CI platforms take `##[command]` and `##vso[command]` anywhere in a line.
_COMMAND: Final = re.compile(r"#(?=#[A-Za-z]*\[)")


def printable(text: str) -> str:
    """Write every character that nobody sees as an escape sequence, and one of a command's.

    So no text begins a line, moves the cursor, reverses the writing, or is taken for a command of a
    job (attacks rows 58, 174).
    """
    text = without_commands(text)
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def without_commands(text: str) -> str:
    """Write what a runner would take for a command of a job, wherever it stands, otherwise."""
    return _COMMAND.sub(r"\\x23", text)
