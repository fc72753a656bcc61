"""Reports of a command: which are wanted, of what, what is printed of them, and how it ends."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from broker.cli.endings import fail
from broker.cli.policies.choosing_set import ChoosingSet, Chosen
from broker.cli.policies.loading import DEV_BROKER, settings_for
from broker.cli.policies.recorded_events import RecordedEvents
from broker.cli.policies.simulating import refuse_of_another_broker
from broker.cli.policies.word_list import words_of
from broker.cli.terminal import ascii_only, show
from broker.core.durations import DurationRefused, seconds_of
from broker.core.policy import PolicySet
from broker.core.policy_reports import report_markdown, report_text
from broker.core.policy_reports.policy_reports import PolicyReports
from broker.core.policy_reports.report_name import ALL, WITHOUT_TRAFFIC, ReportName
from broker.core.policy_reports.reporting import Reporting, Wanted, without_traffic
from broker.core.policy_reports.sentences import notes as notes_of

FOUND: Final = 1
"""The exit code when there is something that was said to fail."""

_LONGEST: Final = 3650 * 86_400


@dataclass(frozen=True, slots=True)
class AskedFor:
    """What the options ask for."""

    wanted: Wanted
    failing: frozenset[ReportName]
    """The reports that end the command with 1 when they find something."""


def wanted(only: str, fail_on: str, within: str, *, with_events: bool) -> AskedFor:
    """Read --only, --fail-on and --within. Ends the command for what cannot be meant."""
    chosen = _names("--only", only, or_none=False) if only else frozenset(ALL)
    failing = _names("--fail-on", fail_on, or_none=True)
    for name in ALL:
        if name in failing - chosen:
            fail(f"--fail-on: {name} is not among the reports that --only names")
        if name in failing - WITHOUT_TRAFFIC and not with_events:
            fail(f"--fail-on: {name} needs what was decided: --against or --server")
    if not with_events and not chosen & WITHOUT_TRAFFIC:
        fail(
            "these reports need what was decided: --against an export, or `store`; or --server URL"
        )
    try:
        seconds = seconds_of(within, minimum=0, maximum=_LONGEST)
    except DurationRefused as error:
        fail(f"--within: {error}")
    return AskedFor(Wanted(chosen, time.time(), seconds), failing)


def reported(
    sets: Sequence[PolicySet],
    events: RecordedEvents | None,
    config: Path | None,
    asked: Wanted,
) -> PolicyReports:
    """Report on the set that events are of, or on all files when there are none.

    Ends the command with 2 for events of another broker.
    """
    if events is None:
        return without_traffic(sets[0], asked)
    own_audiences = frozenset({settings_for(config).issuer, DEV_BROKER})

    def begin(chosen: Chosen) -> Reporting:
        return Reporting(
            chosen.policies,
            asked,
            base=chosen.base,
            all_accounts=chosen.all_accounts,
            own_audiences=own_audiences,
        )

    looking = ChoosingSet(sets, events, begin)
    events.feed(looking.take)
    found = looking.finished().reports()
    if found.read is not None:
        refuse_of_another_broker(found.read.decisions.runs, found.read.known)
    return found


def write(reports: PolicyReports, notes: Sequence[str], output: str) -> None:
    """Print reports in one of the formats; `notes` are about what was read."""
    if output == "json":
        members = {**reports.as_json(), "notes": [*notes_of(reports), *notes]}
        typer.echo(json.dumps(members))
    elif output == "markdown":
        typer.echo(report_markdown.render(reports, notes), nl=False)
    else:
        show(report_text.render(reports, notes, ascii_only=ascii_only()))


def ending(reports: PolicyReports, failing: Iterable[ReportName]) -> int:
    """Give the exit code: 1 when one of these reports finds something."""
    return FOUND if any(map(reports.has, failing)) else 0


def _names(option: str, text: str, *, or_none: bool) -> frozenset[ReportName]:
    known = {each.value: each for each in ALL}
    return frozenset(known[word] for word in words_of(option, text, known, or_none=or_none))
