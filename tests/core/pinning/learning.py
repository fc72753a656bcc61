"""What is learned of events, for tests."""

from typing import Any

from broker.core.pinning.pinning import Pinning
from broker.core.pinning.proposals import PinOutcome, PinReport
from broker.core.pinning.sentences import lines_of
from broker.core.policy import PolicySet


def learned(policy_set: PolicySet, *events: dict[str, Any]) -> PinReport:
    """Learn from events."""
    pinning = Pinning(policy_set)
    for event in events:
        pinning.take(event)
    return pinning.report()


def outcome(report: PinReport, name: str = "web") -> PinOutcome:
    """Give how it stands with an entry."""
    [found] = [each for each in report.outcomes if each.target.name == name]
    return found


def ids(report: PinReport, name: str = "web") -> dict[str, tuple[str, ...]]:
    """Give the ids that are proposed for an entry, by claim."""
    return {each.named.id_claim: each.ids for each in outcome(report, name).proposed}


def unheeded(report: PinReport) -> dict[str, int]:
    """Give the counts that are not 0."""
    return {why: count for why, count in report.unheeded.items() if count}


def told(report: PinReport) -> list[str]:
    """Give the sentences of a report."""
    return [line for each in report.outcomes for line in lines_of(each, str)]
