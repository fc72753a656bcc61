"""What observed policies would have done, as lines for a terminal and as JSON members."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from broker.core.audit import rfc3339
from broker.core.condition_text import shown
from broker.core.observation import WOULD
from broker.core.simulation.change import Group
from broker.core.simulation.observations import ObservationReport, PolicyTally
from broker.core.simulation.outcome import Kind
from broker.core.simulation.sentences import (
    Mark,
    date_of,
    group_sentence,
    number,
    passed_sentence,
    scope_sentence,
)
from broker.core.simulation.tally import by_name

MAX_LINES: Final = 20
"""How many changes of one kind are shown of one policy."""

WORDS: Final[Mapping[Kind, str]] = {
    **{kind: would.value for kind, would in WOULD.items()},
    Kind.UNDECIDABLE: Kind.UNDECIDABLE.value,
}
"""What the kinds are called where they are data."""

TITLES: Final[Mapping[Kind, str]] = {
    Kind.NEWLY_PERMITTED: "would permit",
    Kind.NEWLY_DENIED: "would deny",
    Kind.CHANGED: "would change",
    Kind.UNDECIDABLE: "undecidable",
    Kind.UNCHANGED: "the same",
}
"""What they are called in reports; the order is theirs."""

CHANGES: Final = tuple(kind for kind in TITLES if kind is not Kind.UNCHANGED)


def render(found: ObservationReport, notes: Sequence[str] = (), *, ascii_only: bool = False) -> str:
    """Write a report as lines, each ended by a line feed; `notes` are sentences for its end."""
    text = "".join(f"{line}\n" for line in _lines(found, notes))
    return text.encode("ascii", "backslashreplace").decode() if ascii_only else text


def heading(found: ObservationReport) -> str:
    """Say which decisions there are, and what they are held against."""
    how = (
        "decided again by the observed policies alone"
        if found.alone
        else "beside what the observed policies would make of them"
    )
    return scope_sentence(found.report, how)


def policy_sentence(tally: PolicyTally, mark: Mark) -> str:
    """Say what a policy that held would have done."""
    least = "" if tally.all_tenants else "more than "
    of = f" of {least}{number(len(tally.tenants), 'repository')}" if tally.tenants else ""
    days = f"{date_of(tally.first)} to {date_of(tally.last)}"
    runs = f"{number(tally.runs, 'run')}{of}, {days}"
    counts = ", ".join(
        f"{tally.counts[kind]:,} {title}" for kind, title in TITLES.items() if tally.counts[kind]
    )
    if not tally.name:
        return f"no observed policy holds: {runs}: {counts}"
    return f"{mark(tally.name)}{_whose(tally, mark)}: held in {runs}: {counts}"


def _whose(tally: PolicyTally, mark: Mark) -> str:
    policy = tally.policy
    if policy is None:
        return " (not observed in these files)"
    account = "" if policy.service_account is None else f", {mark(policy.service_account)}"
    return f" ({policy.effect.value}{account})"


def told(tally: PolicyTally, kind: Kind) -> tuple[list[Group], int]:
    """Give the largest changes of a kind, and how many runs there are beyond them."""
    groups = tally.largest(kind)[:MAX_LINES]
    return groups, tally.counts[kind] - sum(group.runs for group in groups)


def change_sentence(group: Group, found: ObservationReport, mark: Mark) -> str:
    """Say what changes for whom, and name a decision that shows it."""
    return f"{group_sentence(group, found.report, mark)}, such as {mark(group.example)}"


def ending_notes(found: ObservationReport, notes: Sequence[str]) -> Iterator[str]:
    """Give what a reader has to know beside the counts."""
    if passed := passed_sentence(found.report):
        yield passed
    if found.cut:
        yield "some events name as many observed policies as are recorded: more may have held"
    yield from notes


def tallies(found: ObservationReport) -> Iterator[PolicyTally]:
    """Give what held, and last what none of them held for."""
    yield from (tally for tally in found.policies if tally.runs)
    if found.without.runs:
        yield found.without


def as_json(found: ObservationReport) -> dict[str, Any]:
    """Give a report as JSON members."""
    report = found.report
    return {
        "view": "alone" if found.alone else "added",
        "policy_set": report.policy_set,
        "first": None if report.first is None else rfc3339(report.first),
        "last": None if report.last is None else rfc3339(report.last),
        "decisions": report.decisions,
        **_counts(report.counts),
        "passed_over": {each.value: count for each, count in report.passed_over.items()},
        "policies": [_policy(each, found) for each in found.policies],
        "without": _policy(found.without, found) if found.alone else None,
        "more_may_have_held": found.cut,
    }


def _policy(tally: PolicyTally, found: ObservationReport) -> dict[str, Any]:
    policy = tally.policy
    return {
        "policy": tally.name or None,
        "effect": None if policy is None else policy.effect.value,
        "service_account": None if policy is None else policy.service_account,
        "place": (policy.place or None) if policy else None,
        "in_files": policy is not None,
        "runs": tally.runs,
        **_counts(tally.counts),
        "first": rfc3339(tally.first) if tally.runs else None,
        "last": rfc3339(tally.last) if tally.runs else None,
        "tenants": [
            {
                "tenant": subject.tenant,
                "issuer": subject.issuer,
                "runs": sum(counts.values()),
                **_counts(counts),
            }
            for subject, counts in sorted(tally.tenants.items(), key=by_name)
        ],
        "all_tenants": tally.all_tenants,
        "groups": [
            found.report.group_json(group) | {"kind": WORDS[kind]}
            for kind in CHANGES
            for group in tally.largest(kind)
        ],
        "more": tally.more,
    }


def _counts(counts: Mapping[Kind, int]) -> dict[str, int]:
    return {WORDS[kind]: counts[kind] for kind in TITLES}


def _lines(found: ObservationReport, notes: Sequence[str]) -> Iterator[str]:
    yield heading(found)
    for kind, title in TITLES.items():
        yield f"  {found.report.counts[kind]:,} {title}"
    for tally in tallies(found):
        yield ""
        yield policy_sentence(tally, shown)
        for kind in CHANGES:
            if not tally.counts[kind]:
                continue
            groups, more = told(tally, kind)
            yield f"  {TITLES[kind]}:"
            for group in groups:
                yield f"    {change_sentence(group, found, shown)}"
            if more:
                yield f"    and more, in {number(more, 'run')}"
    never = found.never_held
    if never:
        yield ""
        yield "never held:"
        yield from (f"  {shown(name)}" for name in never)
    for place, note in enumerate(ending_notes(found, notes)):
        if place == 0:
            yield ""
        yield f"note: {note}"
