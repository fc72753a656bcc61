"""The reports on a policy set as Markdown, for an issue or the summary of a job.

Every name stands in a span of code, in which no mark-up, mention or link counts; the whole is
shorter than what platforms take as one comment (attacks row 174).
"""

from collections.abc import Iterator, Sequence
from typing import Final

from broker.core.policy_reports.policy_reports import PolicyReports
from broker.core.policy_reports.sentences import Told, notes, scope_sentence, sections
from broker.core.simulation.report_markdown import MAX_CHARACTERS, code, code_span

MAX_LINES: Final = 50
"""How much one report tells."""

_CUT: Final = "\n_The rest does not fit into a comment; run the command for all of it._\n"


def render(reports: PolicyReports, more: Sequence[str] = ()) -> str:
    """Write reports; `more` are sentences of our own for the end."""
    text = ""
    for line in _lines(reports, more):
        if len(text) + len(line) + len(_CUT) >= MAX_CHARACTERS:
            return text + _CUT
        text += f"{line}\n"
    return text


def _lines(reports: PolicyReports, more: Sequence[str]) -> Iterator[str]:
    yield "### What the record says of these policies"
    yield ""
    scope = scope_sentence(reports.read)
    yield f"{scope[:1].upper()}{scope[1:]}."
    for title, told in sections(reports, code):
        yield ""
        yield f"**{title[:1].upper()}{title[1:]}**"
        yield ""
        for each in told[:MAX_LINES]:
            yield from _told(each)
        if len(told) > MAX_LINES:
            yield f"- and {len(told) - MAX_LINES:,} more"
        if not told:
            yield "Nothing."
    for note in (*notes(reports), *more):
        yield ""
        yield f"_{note[:1].upper()}{note[1:]}._"


def _told(each: Told) -> Iterator[str]:
    write = "" if each.line is None else f": write {code_span(each.line)}"
    yield f"- {each.sentence}{write}"
    for line in each.below:
        yield f"  - {line}"
