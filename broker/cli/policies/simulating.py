"""A simulation of a command: by which of the sets, what is printed of it, and how it ends."""

import gc
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import typer

from broker.cli.endings import fail
from broker.cli.policies.loading import DEV_BROKER, settings_for
from broker.cli.policies.recorded_events import RecordedEvents
from broker.cli.terminal import ascii_only, show
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import PolicySet
from broker.core.simulation import report_markdown, report_text
from broker.core.simulation.outcome import Kind
from broker.core.simulation.simulation import Simulation
from broker.core.simulation.tally import Report

CHANGES: Final = 1
"""The exit code when something changes that was said to fail."""

NONE: Final = "none"
_MAY_FAIL: Final = (Kind.NEWLY_DENIED, Kind.NEWLY_PERMITTED, Kind.CHANGED, Kind.UNDECIDABLE)
_LOOKED_AT: Final = 10_000
"""How many events are looked at for one that says whose set is meant."""


def kinds_named(text: str) -> frozenset[Kind]:
    """Read --fail-on. Ends the command for a word that is no kind."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if words == [NONE]:
        return frozenset()
    known = {kind.value: kind for kind in _MAY_FAIL}
    unknown = [word for word in words if word not in known]
    if unknown or not words:
        which = f"'{unknown[0]}'" if unknown else "nothing"
        fail(f"--fail-on: {which} is none of {', '.join(known)}, {NONE}")
    return frozenset(known[word] for word in words)


def simulated(
    sets: Sequence[PolicySet],
    events: RecordedEvents,
    config: Path | None,
    base: PolicySet | None = None,
) -> Report:
    """Decide events once more by the set that they are of: the first that has their issuer.

    `base` is the set of before, where it is at hand. Ends the command with 2 for events of another
    broker.
    """
    deciding = _Deciding(sets, events, frozenset({settings_for(config).issuer, DEV_BROKER}), base)
    # What is loaded stays: the collector need not look at it again and again.
    gc.freeze()
    events.feed(deciding.take)
    report = deciding.report()
    if report.decisions and not report.known:
        fail(
            f"none of {report.decisions:,} decisions is of an issuer or account that these files"
            " have: are the events of another broker?"
        )
    return report


class _Deciding:
    """Takes events, and holds them back until it is known which set they are of."""

    def __init__(
        self,
        sets: Sequence[PolicySet],
        events: RecordedEvents,
        own_audiences: frozenset[str],
        base: PolicySet | None,
    ) -> None:
        self._sets = sets
        self._events = events
        self._own_audiences = own_audiences
        self._base = base
        self._held: list[tuple[Mapping[str, Any], int | None]] = []
        self._simulation: Simulation | None = None

    def take(self, event: Mapping[str, Any], size: int | None) -> None:
        """Take one event. Raises `EventRefused`."""
        if self._simulation is not None:
            self._simulation.take(event, size=size)
            return
        self._held.append((event, size))
        claims = event.get("claims")
        url = claims.get("iss") if isinstance(claims, Mapping) else None
        if isinstance(url, str) or len(self._sets) == 1 or len(self._held) >= _LOOKED_AT:
            self._begin(url)

    def report(self) -> Report:
        """Tell what was found. Raises `EventRefused`."""
        if self._simulation is None:
            self._begin(None)
        assert self._simulation is not None  # noqa: S101
        return self._simulation.report()

    def _begin(self, url: object) -> None:
        having = [each for each in self._sets if isinstance(url, str) and each.issuer_by_url(url)]
        around = self._events.surroundings(next(iter(having), self._sets[0]))
        base = around.base if self._base is None else IndexedPolicies.of(self._base)
        self._simulation = Simulation(
            IndexedPolicies.of(around.policy_set),
            base=base,
            all_accounts=around.all_accounts,
            own_audiences=self._own_audiences,
        )
        held, self._held = self._held, []
        for event, size in held:
            self._simulation.take(event, size=size)


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
