"""Options that take words with commas between them, such as --fail-on."""

from collections.abc import Collection
from typing import Final

from broker.cli.endings import fail

NONE: Final = "none"


def words_of(option: str, text: str, known: Collection[str], *, or_none: bool = True) -> list[str]:
    """Read the words of an option; `none` stands for no word, where that may be said.

    Ends the command for a word that is not among those that are known, and without any.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if or_none and words == [NONE]:
        return []
    unknown = [word for word in words if word not in known]
    if unknown or not words:
        which = f"'{unknown[0]}'" if unknown else "nothing"
        choices = [*known, NONE] if or_none else known
        fail(f"{option}: {which} is none of {', '.join(choices)}")
    return words
