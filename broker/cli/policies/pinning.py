"""A pinning of a command: what was learned, what becomes of the files, and how it ends."""

import gc
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from broker.cli.endings import USAGE, fail
from broker.cli.policies.loading import read_sets
from broker.cli.policies.recorded_events import RecordedEvents
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


def learned(policy_set: PolicySet, events: RecordedEvents) -> PinReport:
    """Learn ids from events. Ends the command with 2 for events of another broker."""
    pinning = Pinning(policy_set)
    # What is loaded stays: the collector need not look at it again and again.
    gc.freeze()
    events.feed(lambda event, size: pinning.take(event, size=size))
    report = pinning.report()
    if report.exchanges and not report.known:
        fail(
            f"none of {report.exchanges:,} exchanges is of an issuer that these files have: are the"
            " events of another broker?"
        )
    return report


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


def _failing(before: LoadedPolicies, after: LoadedPolicies) -> list[Problem]:
    """Give the tests that held and hold no more."""
    now = time.time()
    return [
        found.test.problem(f"test `{found.test.name}` fails with the ids: {found.fault}")
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
