"""The formats of `broker policies pin`: text with a diff, JSON, and Markdown for a comment."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import typer

from broker.cli.policies.pinning import Pinned
from broker.cli.terminal import ascii_only, show
from broker.core.condition_text import shown
from broker.core.pinning.sentences import Mark, lines_of, scope_sentence, unheeded_sentence
from broker.core.simulation.report_markdown import MAX_CHARACTERS, code, longest_run
from broker.policy_files.pinning import ToPaste
from broker.policy_files.unified_diff import unified_diff

MAX_LINES: Final = 20
"""How many entries a comment tells."""

_LONGEST_FENCE: Final = 20
_CUT: Final = "\n_The rest does not fit into a comment; run the command for all of it._\n"
_BESIDE: Final = "each name stays beside its id; once the ids run, a name may go"


def write(result: Pinned, notes: Sequence[str], output: str) -> None:
    """Print what was learned and what becomes of the files; what keeps them unwritten to stderr."""
    if output == "json":
        typer.echo(json.dumps(_as_json(result, notes)))
    elif output == "markdown":
        typer.echo(_markdown(result, notes), nl=False)
    else:
        text = "".join(f"{line}\n" for line in _text(result, notes))
        diff = _diff(result)
        text += f"\n{diff}" if diff else ""
        show(text.encode("ascii", "backslashreplace").decode() if ascii_only() else text)
    for fault in result.faults:
        typer.echo(str(fault), err=True)
    if result.faults:
        typer.echo("broker: with these ids the files may not be put in force", err=True)
    for each in result.edits.to_paste:
        typer.echo(f"broker: {_paste(each, shown)}", err=True)
    if result.written:
        for edit in result.edits.edits:
            typer.echo(f"written: {edit.file}", err=True)


def _diff(result: Pinned) -> str:
    return "".join(unified_diff(edit, _path_of(edit.file)) for edit in result.edits.edits)


def _path_of(file: str) -> str:
    """Give the path of a file from here, or from the root where it is not below this folder.

    It is that behind all links: nothing that applies a diff follows one, or `..`.
    """
    real, here = Path(os.path.realpath(file)), os.path.realpath(".")
    return real.relative_to(here if real.is_relative_to(here) else real.anchor).as_posix()


def _text(result: Pinned, notes: Sequence[str]) -> Iterator[str]:
    report = result.report
    yield scope_sentence(report)
    lines = [line for outcome in report.outcomes for line in lines_of(outcome, shown)]
    yield from (f"  {line}" for line in lines)
    if not lines:
        yield "  nothing is known by name alone"
    for note in _notes(result, notes, shown):
        yield f"note: {note}"


def _notes(result: Pinned, notes: Sequence[str], mark: Mark) -> Iterator[str]:
    tests = len(result.edits.tests)
    if result.edits.edits:
        yield _BESIDE
    if tests:
        yield f"the id is put into {tests} {'test' if tests == 1 else 'tests'} of such names, too"
    for each in result.findings:
        place, text = mark(f"{each.file}:{each.line}"), mark(each.message)
        yield f"with the ids there is `{each.lint.code}` at {place}: {text}"
    yield from filter(None, [unheeded_sentence(result.report), *notes])


def _paste(each: ToPaste, mark: Mark) -> str:
    within = ".".join(map(str, each.mapping))
    return (
        f"{mark(each.file)}:{each.line}: cannot be edited ({each.why}); paste into"
        f" {mark(within)}: {each.text}"
    )


def _as_json(result: Pinned, notes: Sequence[str]) -> dict[str, Any]:
    return {
        **result.report.as_json(),
        "diff": _diff(result),
        "files": [edit.file for edit in result.edits.edits],
        "to_paste": [
            {
                "file": each.file,
                "line": each.line,
                "within": list(each.mapping),
                "text": each.text,
                "why": each.why,
            }
            for each in result.edits.to_paste
        ],
        "tests": [{"test": each.name, "file": each.file} for each in result.edits.tests],
        "faults": [
            {"file": each.file, "line": each.line, "column": each.column, "message": each.message}
            for each in result.faults
        ],
        "findings": [
            {
                "file": each.file,
                "line": each.line,
                "code": each.lint.code,
                "message": each.message,
            }
            for each in result.findings
        ],
        "written": result.written,
        "notes": list(notes),
    }


def _markdown(result: Pinned, notes: Sequence[str]) -> str:
    text = ""
    for line in _comment(result, notes):
        if len(text) + len(line) + len(_CUT) >= MAX_CHARACTERS:
            return text + _CUT
        text += f"{line}\n"
    diff = _diff(result)
    # A longer fence than any run of these signs; of very long ones readers differ.
    fence = "`" * max(3, longest_run(diff) + 1)
    block = f"\n{fence}diff\n{diff}{fence}\n" if diff else ""
    if len(text) + len(block) > MAX_CHARACTERS or len(fence) > _LONGEST_FENCE:
        return text + _CUT
    return text + block


def _comment(result: Pinned, notes: Sequence[str]) -> Iterator[str]:
    report = result.report
    yield "### Ids for names"
    yield ""
    yield f"{scope_sentence(report)}."
    lines = [line for outcome in report.outcomes for line in lines_of(outcome, code)]
    yield ""
    yield from (f"- {line}" for line in lines[:MAX_LINES])
    if len(lines) > MAX_LINES:
        yield f"- and {len(lines) - MAX_LINES} more"
    if not lines:
        yield "Nothing is known by name alone."
    for note in _notes(result, notes, code):
        yield ""
        yield f"_{note[:1].upper()}{note[1:]}._"
