"""What a simulation found, in sentences: who gains what, who loses what, and through which policy.

Each name in a sentence goes through `mark`, which makes it fit for the place where it is shown:
repositories and refs are chosen by others (attacks rows 58, 174).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from broker.core.durations import duration_text
from broker.core.simulation.causes import Cause
from broker.core.simulation.change import PULL_REQUESTS, Change, Group
from broker.core.simulation.outcome import Kind
from broker.core.simulation.past_decision import PassedOver
from broker.core.simulation.tally import Report

Mark: TypeAlias = Callable[[str], str]

TITLES: Final[Mapping[Kind, str]] = {
    Kind.NEWLY_DENIED: "newly denied",
    Kind.NEWLY_PERMITTED: "newly permitted",
    Kind.CHANGED: "changed",
    Kind.UNDECIDABLE: "undecidable",
    Kind.UNCHANGED: "unchanged",
}
"""What decisions of each kind are called; the order is that of a report."""

_PASSED: Final[Mapping[PassedOver, str]] = {
    PassedOver.COUNTED: "counts of refusals before any signature held",
    PassedOver.BEFORE_POLICIES: "refused before any policy was asked",
    PassedOver.ALREADY_USED: "of a token used before",
    PassedOver.BLOCKED: "blocked",
    PassedOver.OTHER: "about something else",
}
_NAMED: Final = 5
_REFS: Final = 3


def count_lines(report: Report) -> Iterator[str]:
    """Say how many decisions there are of each kind."""
    for kind, title in TITLES.items():
        yield f"{report.counts[kind]:,} {title}"


def scope_sentence(report: Report, what: str = "decided again") -> str:
    """Say which decisions were made again, or what else was done with them."""
    if report.first is None or report.last is None:
        return "no decision is on record that policies made"
    runs = number(report.decisions, "run")
    least = "" if report.all_tenants else "more than "
    repositories = number(len(report.tenants), "repository")
    first, last = date_of(report.first), date_of(report.last)
    of = f" of {least}{repositories}" if report.tenants else ""
    return f"{runs}{of}, {first} to {last}, {what}"


def passed_sentence(report: Report) -> str | None:
    """Say which events were passed over; None when there were none."""
    parts = [
        f"{report.passed_over[passed]:,} {what}"
        for passed, what in _PASSED.items()
        if report.passed_over[passed]
    ]
    return f"events passed over: {', '.join(parts)}" if parts else None


def group_sentence(group: Group, report: Report, mark: Mark) -> str:
    """Say what changes for whom, and for how many of its runs."""
    change = group.change
    whose = report.runs_of(change.subject)
    of = "" if whose is None else f" of {whose:,}"
    runs = f"{group.runs:,}{of} {'run' if (whose or group.runs) == 1 else 'runs'}"
    subject = change.subject
    issuer = f" of {mark(subject.issuer)}" if subject.tenant in report.namesakes else ""
    return f"{_who(group, mark)}{'' if subject.client else issuer} {_what(group, mark)} ({runs})"


def policy_lines(report: Report, mark: Mark) -> Iterator[str]:
    """Say how many decisions change by each policy."""
    for name, counts in report.policies.items():
        parts = [f"{counts[kind]:,} {title}" for kind, title in TITLES.items() if counts[kind]]
        yield f"{mark(name)}: {', '.join(parts)}"


def cause_lines(report: Report, mark: Mark) -> Iterator[str]:
    """Say how many decisions hang on each condition."""
    for cause, runs in report.causes.items():
        yield f"{_cause(cause, mark)}: {number(runs, 'run')}"


def _who(group: Group, mark: Mark) -> str:
    subject, refs = group.change.subject, list(group.refs)
    if not subject.tenant:
        return "a job that is not on record any more"
    if subject.client:
        return f"client {mark(subject.tenant)}"
    if refs == [PULL_REQUESTS]:
        return f"{mark(subject.tenant)} in pull requests"
    if len(refs) == 1:
        return mark(f"{subject.tenant}@{refs[0]}")
    more = len(refs) - _REFS
    listed = ", ".join(map(mark, refs[:_REFS]))
    if not group.all_refs:
        listed += " and more"
    elif more > 0:
        listed += f" and {more} more"
    return f"{mark(subject.tenant)} on {listed}" if refs else mark(subject.tenant)


def _what(group: Group, mark: Mark) -> str:
    change = group.change
    where = "" if change.service is None else f" at {mark(change.service)}"
    match change.kind:
        case Kind.UNDECIDABLE:
            return f"cannot be decided{where}: {_unknown(change, mark)}"
        case Kind.NEWLY_DENIED:
            lost = _names(change.losses, mark) or "its token"
            return f"loses {lost}{where}: {_why(change, mark)}"
        case Kind.NEWLY_PERMITTED:
            gained = _names(change.gains, mark) or "a token without scopes"
            before = "; ".join(_cause(each, mark, before=True) for each in change.causes)
            return f"gains {gained}{where}{_through(change, mark)}" + (
                f"; before, {before}" if before else ""
            )
        case _:
            parts = ", ".join(_differences(group, mark))
            return f"{parts}{where}{_through(change, mark)}"


def _differences(group: Group, mark: Mark) -> Iterator[str]:
    change = group.change
    if change.gains:
        yield f"gains {_names(change.gains, mark)}"
    if change.losses:
        yield f"loses {_names(change.losses, mark)}"
    for name, was, now in change.others:
        yield f"has the {name.replace('_', ' ')} {mark(now or '')} instead of {mark(was or '')}"
    if change.life:
        was, now = (duration_text(each or 0) for each in group.ttls)
        yield f"has a {change.life} life (such as {now} instead of {was})"


def _through(change: Change, mark: Mark) -> str:
    account = "" if change.service_account is None else f" as {mark(change.service_account)}"
    return account + (f" through {_names(change.policies, mark)}" if change.policies else "")


def _why(change: Change, mark: Mark) -> str:
    causes = "; ".join(_cause(each, mark) for each in change.causes)
    if causes:
        return causes
    detail = f" ({mark(change.detail)})" if change.detail else ""
    return f"{change.reason}{detail}"


def _cause(cause: Cause, mark: Mark, *, before: bool = False) -> str:
    if cause.condition:
        return f"{mark(cause.policy)} {'asked' if before else 'asks'} for {mark(cause.what)}"
    what = cause.what.replace("is ", "was ", 1) if before else cause.what
    return f"{mark(cause.policy)} {what}"


def _unknown(change: Change, mark: Mark) -> str:
    about = _names(change.claims, mark) or (mark(change.detail) if change.detail else "")
    return f"{change.reason}: {about}" if about else f"{change.reason}"


def _names(names: Sequence[str], mark: Mark) -> str:
    listed = ", ".join(mark(name) for name in names[:_NAMED])
    more = len(names) - _NAMED
    return f"{listed} and {more} more" if more > 0 else listed


def number(count: int, what: str) -> str:
    """Write a count of things."""
    if count == 1:
        return f"1 {what}"
    return f"{count:,} {what.removesuffix('y')}ies" if what.endswith("y") else f"{count:,} {what}s"


def date_of(instant: float) -> str:
    """Write the day of an instant, in seconds since the epoch."""
    return datetime.fromtimestamp(instant, UTC).date().isoformat()
