"""Policies that decide nothing which others would not decide the same.

By their conditions, as the lints `shadowed` and `no-effect` find it: it can never be otherwise. By
the record: it never was.
"""

from collections.abc import Mapping
from typing import Any

from broker.core.audit import rfc3339
from broker.core.policy import PolicySet
from broker.core.policy_lint.linted_set import LintedSet
from broker.core.policy_lint.redundant import no_effect, shadowed
from broker.core.policy_reports.dependence import Beside
from broker.core.policy_reports.over_broad import FEW
from broker.core.record import record


@record
class ByConditions:
    """A policy that another makes superfluous, or that takes no effect."""

    policy: str
    why: str
    """What the lint says, in Markdown; made of names in the files alone."""

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON members."""
        return {"policy": self.policy, "why": self.why}


@record
class ByRecord:
    """A policy without which the same would have come out each time."""

    policy: str
    others: tuple[str, ...]
    """Those that stood beside it each time; none when it was now one and now another."""

    runs: int
    first: float
    last: float

    @property
    def few(self) -> bool:
        """Whether the runs are too few to tell much."""
        return self.runs < FEW

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON members."""
        return {
            "policy": self.policy,
            "others": list(self.others),
            "runs": self.runs,
            "few": self.few,
            "first": rfc3339(self.first),
            "last": rfc3339(self.last),
        }


@record
class Shadowed:
    """The report, by policy; `by_record` is None when no decisions were looked at."""

    by_conditions: tuple[ByConditions, ...]
    by_record: tuple[ByRecord, ...] | None

    @property
    def has_findings(self) -> bool:
        """Whether there is something to act upon."""
        return bool(self.by_conditions or self.by_record)

    def as_json(self) -> dict[str, Any]:
        """Give the report as JSON members."""
        found = None if self.by_record is None else [each.as_json() for each in self.by_record]
        return {
            "by_conditions": [each.as_json() for each in self.by_conditions],
            "by_record": found,
        }


def shadowed_policies(
    policy_set: PolicySet, now: float, beside: Mapping[str, Beside] | None = None
) -> Shadowed:
    """Report what is shadowed; `beside` is what was found by policy."""
    linted = LintedSet(policy_set, {}, now)
    remarks = [*shadowed(linted), *no_effect(linted)]
    # What a policy grants beyond its account is another matter.
    whole = [each for each in remarks if "grants" not in each.path]
    by_conditions = [ByConditions(str(each.path[1]), each.message) for each in whole]
    by_conditions.sort(key=lambda each: (each.policy, each.why))
    if beside is None:
        return Shadowed(tuple(by_conditions), None)
    return Shadowed(
        tuple(by_conditions),
        tuple(
            ByRecord(
                name,
                tuple(sorted(each.others or ())),
                each.runs.runs,
                each.runs.first or 0.0,
                each.runs.last or 0.0,
            )
            for name, each in sorted(beside.items())
        ),
    )
