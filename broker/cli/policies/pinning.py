"""A pinning of a command: what was learned, what becomes of the files, and how it ends."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from broker.cli.endings import USAGE, fail
from broker.cli.policies.loading import read_sets
from broker.cli.policies.recorded_events import RecordedEvents
from broker.core.condition_text import shown
from broker.core.errors import ConfigurationError, Problem
from broker.core.pinning.pinning import Pinning
from broker.core.pinning.proposals import PinReport
from broker.core.policy import PolicySet
from broker.policy_files import LoadedPolicies, run
from broker.policy_files.check import PlacedFinding, check
from broker.policy_files.pinning import PinEdits, edits_of
from broker.policy_files.writing import write_all

TWO_IDS: Final = 1
"""The exit code when a name was seen with two ids."""


_MEANWHILE: Final = "was changed while this ran; run it again"


@dataclass(frozen=True, slots=True)
class Pinned:
    """What was learned, and what becomes of the files by it."""

    report: PinReport
    edits: PinEdits
    faults: tuple[Problem, ...] = ()
    """Why the edited files may not be written: they do not load, or their tests fail."""

    findings: tuple[PlacedFinding, ...] = ()
    """What lints find in the edited files that they did not find before."""

    written: bool = False


def learned(sets: Sequence[PolicySet], events: RecordedEvents) -> PinReport:
    """Learn ids from events, for the first of the sets that has the issuers of any.

    Ends the command with 2 for events of another broker.
    """
    pinnings = [(each, Pinning(each)) for each in sets]

    def take(event: Mapping[str, Any], size: int | None) -> None:
        claims = event.get("claims")
        url = claims.get("iss") if isinstance(claims, Mapping) else None
        having = [each for of, each in pinnings if isinstance(url, str) and of.issuer_by_url(url)]
        # The policies of `dev/` are none of a broker in earnest, nor what they deny.
        next(iter(having), pinnings[0][1]).take(event, size=size)

    events.feed(take)
    reports = [each.report() for _, each in pinnings]
    exchanges = sum(each.exchanges for each in reports)
    known = [each for each in reports if each.known]
    if exchanges and not known:
        fail(
            f"none of {exchanges:,} exchanges is of an issuer that these files have: are the"
            " events of another broker?"
        )
    return known[0] if known else reports[0]


def pinned(
    report: PinReport,
    sets: Sequence[LoadedPolicies],
    paths: Sequence[Path] | None,
    config: Path | None,
) -> Pinned:
    """Work out what becomes of the files, and whether they load and hold their tests with it."""
    edits = edits_of(sets[-1], report)
    if not edits.edits:
        return Pinned(report, edits)
    texts = {file: after for file, (_, after) in edits.texts.items()}
    try:
        after = read_sets(paths, config, texts)
    except ConfigurationError as error:
        return Pinned(report, edits, error.problems)
    changed = sorted(_changed(sets, after, texts))
    if changed:
        return Pinned(report, edits, tuple(Problem(file, 0, 0, _MEANWHILE) for file in changed))
    faults = [
        fault for one, other in zip(sets, after, strict=True) for fault in _failing(one, other)
    ]
    findings = _new_findings(sets, after)
    faults += [
        Problem(each.file, each.line, each.column, each.message)
        for each in findings
        if each.lint.severity.value == "error"
    ]
    return Pinned(report, edits, tuple(dict.fromkeys(faults)), findings)


def put_in_place(result: Pinned) -> Pinned:
    """Write the edited files. Ends the command with 2 where they may not be written.

    Raises `ConfigurationError` where they cannot be.
    """
    if result.faults or not result.edits.edits:
        return result
    write_all(result.edits.texts)
    return replace(result, written=True)


def ending(result: Pinned, *, write: bool) -> int:
    """Give the exit code."""
    if write and result.faults:
        return USAGE
    return TWO_IDS if result.report.conflicts else 0


def _changed(
    before: Sequence[LoadedPolicies], after: Sequence[LoadedPolicies], edited: Mapping[str, bytes]
) -> set[str]:
    """Name the files that are not as they were, but for those that were edited here."""
    was, now = (
        {file: each.lines for loaded in sets for file, each in loaded.sources.items()}
        for sets in (before, after)
    )
    return {
        file
        for file in was.keys() | now.keys()
        if file not in edited and was.get(file) != now.get(file)
    }


def _failing(before: LoadedPolicies, after: LoadedPolicies) -> list[Problem]:
    """Give the tests that held and hold no more."""
    now = time.time()
    return [
        # Where it stands now: the edited file may never be seen.
        was.test.problem(f"test `{shown(was.test.name)}` fails with the ids: {found.fault}")
        for was, found in zip(run(before, now), run(after, now), strict=True)
        if was.holds and not found.holds
    ]


def _new_findings(
    before: Sequence[LoadedPolicies], after: Sequence[LoadedPolicies]
) -> tuple[PlacedFinding, ...]:
    """Give the findings that were not there before; their lines may be others."""
    now = time.time()
    old = Counter((each.file, each.lint.code, each.message) for each in check(before, now).findings)
    new = []
    for each in check(after, now).findings:
        key = (each.file, each.lint.code, each.message)
        if old[key]:
            old[key] -= 1
        else:
            new.append(each)
    return tuple(new)
