"""Reports on a policy set, made of decisions on record."""

from typing import Any

import yaml

from broker.core.conditions import Condition, Glob, Regex
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import PolicySet
from broker.core.policy_reports.policy_reports import PolicyReports
from broker.core.policy_reports.report_name import ALL, ReportName
from broker.core.policy_reports.reporting import Reporting, Wanted
from tests.core.builders import NOW, a_matcher

DAY = 86_400


def wanted(*names: ReportName, within: int = 30 * DAY) -> Wanted:
    return Wanted(frozenset(names or ALL), NOW, within)


def reported(
    policy_set: PolicySet, *events: dict[str, Any], only: tuple[ReportName, ...] = (), **more: Any
) -> PolicyReports:
    """Look at events, given as JSON members."""
    reporting = Reporting(IndexedPolicies.of(policy_set), wanted(*only), **more)
    for event in events:
        reporting.take(event)
    return reporting.reports()


def members(policy_set: PolicySet, *events: dict[str, Any], **more: Any) -> dict[str, Any]:
    return reported(policy_set, *events, **more).as_json()


def lines(policy_set: PolicySet, *events: dict[str, Any], **more: Any) -> list[str]:
    """Give the lines that are proposed because something is too broad."""
    found = members(policy_set, *events, **more)["over_broad"]["found"]
    return [each["line"] for each in found]


def condition_of(line: str, *, folded: bool) -> Condition:
    """Read a line that was proposed, as a policy file would."""
    [(claim, value)] = yaml.safe_load(line).items()
    items = [_single(each) for each in (value if isinstance(value, list) else [value])]
    return Condition(claim, a_matcher(items if isinstance(value, list) else items[0]), folded)


def _single(value: Any) -> Any:
    if isinstance(value, dict):
        [(operator, pattern)] = value.items()
        return {"glob": Glob, "regex": Regex}[operator](pattern)
    return value
