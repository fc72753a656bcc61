"""The report of a simulation as Markdown, for a comment on a pull request.

Every name stands in a span of code, in which no mark-up, mention or link counts; the whole is
shorter than what platforms take as one comment (attacks row 174).
"""

from collections.abc import Iterator, Sequence
from typing import Final

from broker.core.condition_text import shown
from broker.core.simulation.outcome import Kind
from broker.core.simulation.sentences import (
    TITLES,
    cause_lines,
    group_sentence,
    passed_sentence,
    scope_sentence,
)
from broker.core.simulation.tally import Report

MAX_CHARACTERS: Final = 60_000
"""GitHub takes comments of up to 65,536."""

MAX_LINES: Final = 20
"""How many changes of one kind are told."""

_LONGEST_FENCE: Final = 20
CUT: Final = "\n_The rest does not fit into a comment; run the command for all of it._\n"
_SIGNS: Final = {
    Kind.NEWLY_DENIED: "🔴",
    Kind.NEWLY_PERMITTED: "🟠",
    Kind.CHANGED: "🟡",
    Kind.UNDECIDABLE: "⚪",
}


def render(report: Report, notes: Sequence[str] = (), *, room: int = MAX_CHARACTERS) -> str:
    """Write a report; `notes` are sentences of our own for its end.

    `room` is how many characters it may take of a comment that says something else as well.
    """
    text = ""
    for line in _lines(report, notes):
        if len(text) + len(line) + len(CUT) >= room:
            return text + CUT
        text += f"{line}\n"
    return text


def code(text: str) -> str:
    """Write a text that others chose as a span of code, short."""
    return code_span(shown(text))


def code_span(plain: str) -> str:
    """Write a text as a span of code (CommonMark §6.1); all of it has to be printable."""
    longest = longest_run(plain)
    if longest >= _LONGEST_FENCE:
        # Readers of Markdown take a fence of more than 80 for text, and what follows for mark-up.
        plain, longest = plain.replace("`", r"\x60"), 0
    fence = "`" * (longest + 1)
    # A blank on both sides is taken off again.
    blank = " " if plain[:1] in ("`", " ") or plain[-1:] in ("`", " ") else ""
    return f"{fence}{blank}{plain}{blank}{fence}"


def longest_run(text: str) -> int:
    """Count the most backticks in a row."""
    longest = run = 0
    for each in text:
        run = run + 1 if each == "`" else 0
        longest = max(longest, run)
    return longest


def _lines(report: Report, notes: Sequence[str]) -> Iterator[str]:
    yield "### What these policies change"
    yield ""
    yield f"{scope_sentence(report)}."
    yield ""
    yield "| " + " | ".join(title for title in TITLES.values()) + " |"
    yield "| ---: " * len(TITLES) + "|"
    yield "| " + " | ".join(f"{report.counts[kind]:,}" for kind in TITLES) + " |"
    for kind, sign in _SIGNS.items():
        groups = report.groups[kind]
        if not groups:
            continue
        yield ""
        yield f"**{sign} {TITLES[kind].capitalize()}**"
        yield ""
        for group in groups[:MAX_LINES]:
            yield f"- {group_sentence(group, report, code)}"
        runs = sum(each.runs for each in groups[MAX_LINES:]) + report.more[kind]
        if runs:
            yield f"- and more, in {runs:,} runs"
    causes = list(cause_lines(report, code))
    if causes:
        yield ""
        yield "<details><summary>By condition</summary>"
        yield ""
        yield from (f"- {line}" for line in causes[:MAX_LINES])
        yield ""
        yield "</details>"
    for note in filter(None, [passed_sentence(report), *notes]):
        yield ""
        yield f"_{note[:1].upper()}{note[1:]}._"
