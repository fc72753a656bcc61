"""A report on observed policies: what it is made of, what is printed of it, and how it ends."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import typer

from broker.cli.endings import fail
from broker.cli.policies.choosing_set import ChoosingSet, Chosen
from broker.cli.policies.loading import DEV_BROKER, settings_for
from broker.cli.policies.recorded_events import RecordedEvents
from broker.cli.policies.simulating import CHANGES, refuse_of_another_broker
from broker.cli.policies.word_list import words_of
from broker.cli.terminal import ascii_only, show
from broker.core.policy import Mode, PolicySet
from broker.core.simulation import observations_markdown, observations_text
from broker.core.simulation.observations import ObservationReport, Observations
from broker.core.simulation.observations_text import WORDS
from broker.core.simulation.outcome import Kind

NEVER_HELD: Final = "never_held"
_MAY_FAIL: Final = (
    *(word for kind, word in WORDS.items() if kind is not Kind.UNCHANGED),
    NEVER_HELD,
)


def conditions_named(text: str) -> frozenset[str]:
    """Read --fail-on. Ends the command for a word that is none."""
    return frozenset(words_of("--fail-on", text, _MAY_FAIL))


def observations(
    sets: Sequence[PolicySet], events: RecordedEvents, config: Path | None, *, alone: bool
) -> ObservationReport:
    """Count what observed policies would make of events. Ends the command with 2 without any."""
    if not any(policy.mode is Mode.OBSERVE for each in sets for policy in each.policies.values()):
        fail("no policy of these files has `mode: observe`")
    own_audiences = frozenset({settings_for(config).issuer, DEV_BROKER})

    def begin(chosen: Chosen) -> Observations:
        return Observations(
            chosen.policies,
            alone=alone,
            all_accounts=chosen.all_accounts,
            own_audiences=own_audiences,
        )

    counting = ChoosingSet(sets, events, begin)
    events.feed(counting.take)
    found = counting.finished().report()
    refuse_of_another_broker(found.report.decisions, found.report.known)
    return found


def write(found: ObservationReport, notes: Iterable[str], output: str) -> None:
    """Print a report in one of the formats."""
    if output == "json":
        typer.echo(json.dumps({**observations_text.as_json(found), "notes": list(notes)}))
    elif output == "markdown":
        typer.echo(observations_markdown.render(found, list(notes)), nl=False)
    else:
        show(observations_text.render(found, list(notes), ascii_only=ascii_only()))


def ending(found: ObservationReport, conditions: Iterable[str]) -> int:
    """Give the exit code: 1 when one of these conditions is met."""
    counts = {word: found.report.counts[kind] for kind, word in WORDS.items()}
    counts[NEVER_HELD] = len(found.never_held)
    return CHANGES if any(counts[each] for each in conditions) else 0
