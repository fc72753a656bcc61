"""Text that strangers chose, made fit for terminals and logs."""


def printable(text: str) -> str:
    """Write every character that nobody sees as an escape sequence.

    So no text begins a line, moves the cursor or reverses the writing (attacks rows 58, 174).
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
