"""A decision on record as lines for a terminal: the facts, the claims, and every condition."""

from collections.abc import Iterator, Mapping
from typing import Any

from broker.core.condition_text import yaml
from broker.core.decision_facts import facts, headline
from broker.core.explanation_text import render
from broker.core.printable import printable
from broker.core.recorded_decision import RecordedDecision


def decision_text(
    event: Mapping[str, Any], recorded: RecordedDecision, *, ascii_only: bool = False
) -> str:
    """Write a decision, given as JSON members and explained, as lines, each ended by a line feed.

    What a token says is shown with every character printable, and never begins a line of its own
    (attacks rows 58, 174).
    """
    how, word = headline(event)
    text = f"{how}: {word}\n"
    for name, fact in facts(event, recorded.explanation):
        text += f"  {f'{name}:':<12}{fact}\n"
    text += "".join(explanation_lines(event, recorded, ascii_only=ascii_only))
    return text.encode("ascii", "backslashreplace").decode() if ascii_only else text


def explanation_lines(
    event: Mapping[str, Any], recorded: RecordedDecision, *, ascii_only: bool
) -> Iterator[str]:
    """Yield the claims on record, the explanation and its notes."""
    claims = event.get("claims")
    if isinstance(claims, Mapping):
        yield "\nclaims on record:\n"
        for name, value in claims.items():
            yield f"    {yaml(name)}: {yaml(value)}\n"
    if recorded.explanation is not None:
        yield "\n" + render(recorded.explanation, ascii_only=ascii_only)
    for note in recorded.notes:
        # A broker that was asked may have chosen what is told of its event.
        yield f"\nnote: {printable(note)}\n"
