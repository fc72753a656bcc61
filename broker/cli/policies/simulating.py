"""A simulation of a command: by which of the sets, what is printed of it, and how it ends."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import typer

from broker.cli.endings import fail
from broker.cli.policies.choosing_set import ChoosingSet, Chosen
from broker.cli.policies.loading import DEV_BROKER, settings_for
from broker.cli.policies.recorded_events import RecordedEvents
from broker.cli.policies.word_list import words_of
from broker.cli.terminal import ascii_only, show
from broker.core.policy import PolicySet
from broker.core.simulation import report_markdown, report_text
from broker.core.simulation.outcome import Kind
from broker.core.simulation.simulation import Simulation
from broker.core.simulation.tally import Report

CHANGES: Final = 1
"""The exit code when something changes that was said to fail."""

_MAY_FAIL: Final = (Kind.NEWLY_DENIED, Kind.NEWLY_PERMITTED, Kind.CHANGED, Kind.UNDECIDABLE)


def kinds_named(text: str) -> frozenset[Kind]:
    """Read --fail-on. Ends the command for a word that is no kind."""
    known = {kind.value: kind for kind in _MAY_FAIL}
    return frozenset(known[word] for word in words_of("--fail-on", text, known))


def simulated(
    sets: Sequence[PolicySet],
    events: RecordedEvents,
    config: Path | None,
    before: Sequence[PolicySet] = (),
) -> Report:
    """Decide events once more by the set that they are of: the first that has their issuer.

    `before` are the sets of before, where they are at hand. Ends the command with 2 for events of
    another broker.
    """
    own_audiences = frozenset({settings_for(config).issuer, DEV_BROKER})

    def begin(chosen: Chosen) -> Simulation:
        return Simulation(
            chosen.policies,
            base=chosen.base,
            all_accounts=chosen.all_accounts,
            own_audiences=own_audiences,
        )

    deciding = ChoosingSet(sets, events, begin, before)
    events.feed(deciding.take)
    report = deciding.finished().report()
    refuse_of_another_broker(report.decisions, report.known)
    return report


def refuse_of_another_broker(decisions: int, known: int) -> None:
    """End the command when there are decisions, and of none is known whose it was."""
    if decisions and not known:
        fail(
            f"none of {decisions:,} decisions is of an issuer or account that these files"
            " have: are the events of another broker?"
        )


def write(report: Report, notes: Iterable[str], output: str) -> None:
    """Print a report in one of the formats."""
    if output == "json":
        typer.echo(json.dumps({**report.as_json(), "notes": list(notes)}))
    elif output == "markdown":
        typer.echo(report_markdown.render(report, list(notes)), nl=False)
    else:
        show(report_text.render(report, list(notes), ascii_only=ascii_only()))


def ending(report: Report, kinds: Iterable[Kind]) -> int:
    """Give the exit code: 1 when there is a decision of one of these kinds."""
    return CHANGES if any(report.counts[kind] for kind in kinds) else 0
