"""The reports on a policy set as lines for a terminal."""

from collections.abc import Iterator, Sequence
from typing import Final

from broker.core.condition_text import shown
from broker.core.policy_reports.policy_reports import PolicyReports
from broker.core.policy_reports.sentences import Told, notes, scope_sentence, sections

MAX_LINES: Final = 200
"""How much one report tells."""


def render(reports: PolicyReports, more: Sequence[str] = (), *, ascii_only: bool = False) -> str:
    """Write reports as lines, each ended by a line feed; `more` are further notes for the end."""
    text = "".join(f"{line}\n" for line in _lines(reports, more))
    return text.encode("ascii", "backslashreplace").decode() if ascii_only else text


def _lines(reports: PolicyReports, more: Sequence[str]) -> Iterator[str]:
    yield scope_sentence(reports.read)
    for title, told in sections(reports, shown):
        yield ""
        yield f"{title.replace('`', '')}:"
        for each in told[:MAX_LINES]:
            yield from _told(each)
        if len(told) > MAX_LINES:
            yield f"  and {len(told) - MAX_LINES:,} more"
        if not told:
            yield "  nothing"
    ends = [*notes(reports), *more]
    if ends:
        yield ""
    for note in ends:
        yield f"note: {note}"


def _told(each: Told) -> Iterator[str]:
    yield f"  {each.sentence}"
    for line in each.below:
        yield f"    {line}"
    if each.line is not None:
        yield f"    write {each.line}"
