"""What is printed for people: in colour on a terminal, plain anywhere else."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import typer

_COLOURS: Final = {
    "✓": "green", "✗": "red", "[ok]": "green", "[no]": "red",
    "permit:": "green", "deny:": "red", "fix:": "cyan", "permitted:": "green", "refused:": "red",
}  # fmt: skip

_STATES: Final = {
    "enabled": "green", "disabled": "red", "expired": "red", "old": "yellow", "overdue": "red",
}  # fmt: skip

_BAR: Final = 36
_AROUND_THE_BAR: Final = len("  []  100%  00:00:00 ")

_BEFORE_THE_SIGN: Final = len("2026-11-25 21:49:41 ")


def show(text: str) -> None:
    """Print a text that ends in a line feed; colours stay only on a terminal, without NO_COLOR."""
    typer.echo(text, nl=False, color=False if os.environ.get("NO_COLOR") else None)


def put(text: str) -> None:
    """Print what programs read: as UTF-8, whatever is set for people, and its line ends as is."""
    sys.stdout.buffer.write(text.encode())


def ascii_only() -> bool:
    """Tell whether stdout cannot show the signs ✓ and ✗."""
    try:
        # A process may have been given no stdout.
        "✓✗".encode((sys.stdout and sys.stdout.encoding) or "ascii")
    except UnicodeEncodeError:
        return True
    return False


def state_coloured(word: str) -> str:
    """Colour a word that says how it stands with something."""
    return typer.style(word, fg=_STATES[word])


def signed(text: str) -> str:
    """Colour the sign that a line begins with, below its indent."""
    return "\n".join(map(_signed, text.split("\n")))


def _signed(line: str) -> str:
    body = line.lstrip(" ")
    sign = body.split(" ", 1)[0]
    if sign not in _COLOURS:
        return line
    indent = line[: len(line) - len(body)]
    return indent + typer.style(sign, fg=_COLOURS[sign], bold=True) + body[len(sign) :]


def sign_coloured(line: str) -> str:
    """Colour the first sign of a line, which stands behind a time."""
    for sign in ("✓", "✗", "[ok]", "[no]"):
        before, found, after = line.partition(f" {sign} ")
        if found and len(before) <= _BEFORE_THE_SIGN:
            return f"{before} {typer.style(sign, fg=_COLOURS[sign], bold=True)} {after}"
    return line


@contextmanager
def progress(length: int, label: str) -> Iterator[Callable[[int], None]]:
    """Show how far it is, where somebody looks: what it gives is told of each step."""
    if not length or not sys.stderr.isatty():
        yield lambda _steps: None
        return
    with typer.progressbar(
        length=length, label=label, file=sys.stderr, width=_bar_width(label)
    ) as bar:
        yield bar.update


def _bar_width(label: str) -> int:
    """Give the width at which the whole line fits, since one that wraps is never drawn over."""
    columns = os.get_terminal_size(sys.stderr.fileno()).columns
    # A terminal that does not say how wide it is says 0.
    return max(1, min(_BAR, columns - len(label) - _AROUND_THE_BAR)) if columns else _BAR
