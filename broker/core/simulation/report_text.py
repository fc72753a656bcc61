"""The report of a simulation as lines for a terminal."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from broker.core.condition_text import shown
from broker.core.simulation.sentences import (
    TITLES,
    cause_lines,
    count_lines,
    group_sentence,
    passed_sentence,
    policy_lines,
    scope_sentence,
)
from broker.core.simulation.tally import Report

MAX_LINES: Final = 50
"""How many changes of one kind are shown."""


def render(report: Report, notes: Sequence[str] = (), *, ascii_only: bool = False) -> str:
    """Write a report as lines, each ended by a line feed; `notes` are sentences for its end."""
    text = "".join(f"{line}\n" for line in _lines(report, notes))
    return text.encode("ascii", "backslashreplace").decode() if ascii_only else text


def _lines(report: Report, notes: Sequence[str]) -> Iterator[str]:
    yield scope_sentence(report)
    for line in count_lines(report):
        yield f"  {line}"
    for kind, title in TITLES.items():
        groups = report.groups.get(kind, ())
        if not groups:
            continue
        yield ""
        yield f"{title}:"
        for group in groups[:MAX_LINES]:
            yield f"  {group_sentence(group, report, shown)}"
        rest = groups[MAX_LINES:]
        runs = sum(each.runs for each in rest) + report.more[kind]
        if runs:
            yield f"  and more, in {runs:,} runs"
    yield from _listed("by policy:", policy_lines(report, shown))
    yield from _listed("by condition:", cause_lines(report, shown))
    ends = [*(filter(None, [passed_sentence(report)])), *notes]
    if ends:
        yield ""
    for note in ends:
        yield f"note: {note}"


def _listed(title: str, lines: Iterator[str]) -> Iterator[str]:
    listed = list(islice(lines, MAX_LINES + 1))
    if listed:
        yield ""
        yield title
        for line in listed[:MAX_LINES]:
            yield f"  {line}"
        if len(listed) > MAX_LINES:
            yield "  and more"
