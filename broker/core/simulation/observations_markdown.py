"""What observed policies would have done, as Markdown for a comment or a ticket.

Every name stands in a span of code; the whole is shorter than what platforms take as one comment
(attacks row 174).
"""

from collections.abc import Iterator, Sequence

from broker.core.simulation.observations import ObservationReport
from broker.core.simulation.observations_text import (
    CHANGES,
    TITLES,
    change_sentence,
    ending_notes,
    heading,
    policy_sentence,
    tallies,
    told,
)
from broker.core.simulation.report_markdown import CUT, MAX_CHARACTERS, code


def render(found: ObservationReport, notes: Sequence[str] = ()) -> str:
    """Write a report; `notes` are sentences of our own for its end."""
    text = ""
    for line in _lines(found, notes):
        if len(text) + len(line) + len(CUT) >= MAX_CHARACTERS:
            return text + CUT
        text += f"{line}\n"
    return text


def _lines(found: ObservationReport, notes: Sequence[str]) -> Iterator[str]:
    yield "### What the observed policies would do"
    yield ""
    yield f"{heading(found)}."
    yield ""
    yield "| " + " | ".join(TITLES.values()) + " |"
    yield "| ---: " * len(TITLES) + "|"
    yield "| " + " | ".join(f"{found.report.counts[kind]:,}" for kind in TITLES) + " |"
    for tally in tallies(found):
        yield ""
        yield f"**{policy_sentence(tally, code)}**"
        for kind in CHANGES:
            if not tally.counts[kind]:
                continue
            groups, more = told(tally, kind)
            yield ""
            for group in groups:
                yield f"- {TITLES[kind]}: {change_sentence(group, found, code)}"
            if more:
                yield f"- {TITLES[kind]}: more, in {more:,} runs"
    never = found.never_held
    if never:
        yield ""
        yield f"Never held: {', '.join(map(code, never))}"
    for note in ending_notes(found, notes):
        yield ""
        yield f"_{note[:1].upper()}{note[1:]}._"
