"""The formats of `broker policies check`: text, JSON, SARIF and GitHub annotations."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

import typer

from broker.cli.policies.checked import Checked, Level, Told
from broker.cli.policies.sarif import sarif_log

_COLOURS: Final[dict[Level, str]] = {
    "error": typer.colors.RED,
    "warning": typer.colors.YELLOW,
    "info": typer.colors.CYAN,
}
_COMMANDS: Final[dict[Level, str]] = {"error": "error", "warning": "warning", "info": "notice"}
_SHOWN: Final = 110
"""How many characters of a line are shown."""


def write(checked: Checked, output: str) -> None:
    """Print the outcome of a check; what is no result goes to stderr."""
    if output == "json":
        typer.echo(json.dumps(_as_json(checked)))
    elif output == "sarif":
        typer.echo(json.dumps(sarif_log(checked), indent=2))
    elif output == "github":
        for told in checked.findings:
            typer.echo(annotation(told))
    else:
        for told in checked.findings:
            for line in _text(told, checked.source_line(told)):
                typer.echo(line, color=False if os.environ.get("NO_COLOR") else None)
    typer.echo(_summary(checked), err=True)


def annotation(told: Told) -> str:
    """Write a workflow command of GitHub Actions, with what separates its parts escaped."""
    place = f",line={told.line},col={told.column}" if told.line else ""
    # The name of a file need not be text.
    name = told.file.encode("utf-8", "backslashreplace").decode()
    file, title = _property(name), _property(told.code)
    return f"::{_COMMANDS[told.level]} file={file}{place},title={title}::{_data(told.message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _as_json(checked: Checked) -> dict[str, object]:
    return {
        "loads": checked.loads,
        "policies": checked.policies,
        "findings": [_members(told) for told in checked.findings],
        "accepted": [_members(told) for told in checked.accepted],
    }


def _members(told: Told) -> dict[str, object]:
    return {name: value for name, value in asdict(told).items() if value is not None}


def _text(told: Told, source: str | None) -> Iterator[str]:
    level = f"{told.level}[{told.code}]"
    before, _, after = str(told).partition(level)
    yield f"{before}{typer.style(level, fg=_COLOURS[told.level], bold=True)}{after}"
    if source is None:
        return
    line, column = _window(source, told.column)
    yield f"{told.line:5} | {line}"
    yield f"      | {' ' * (column - 1)}{typer.style('^', fg=_COLOURS[told.level], bold=True)}"


def _window(line: str, column: int) -> tuple[str, int]:
    """Cut a long line around a column, and show what cannot be seen or moves the cursor."""
    start = max(0, column - _SHOWN // 2) if len(line) > _SHOWN else 0
    shown = line[start : start + _SHOWN]
    visible = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in shown)
    return visible.rstrip(), column - start


def _summary(checked: Checked) -> str:
    if not checked.loads:
        return f"the files do not load: {_number(len(checked.findings), 'problem')}"
    counts = [_number(checked.count(level), level) for level in _COLOURS if checked.count(level)]
    found = ", ".join(counts) or "no findings"
    accepted = f", {len(checked.accepted)} accepted" if checked.accepted else ""
    policies = f"{checked.policies} {'policy' if checked.policies == 1 else 'policies'}"
    return f"{found}{accepted} in {policies}"


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 or what == "info" else f"{count} {what}s"
