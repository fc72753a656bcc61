"""The reports on a policy set, and of which decisions they are."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from broker.core.audit import rfc3339
from broker.core.policy_reports.expiring import ExpiringReport
from broker.core.policy_reports.over_broad import OverBroad
from broker.core.policy_reports.policy_use import Period
from broker.core.policy_reports.report_name import ReportName
from broker.core.policy_reports.shadowed import Shadowed
from broker.core.policy_reports.sub_form import SubForm
from broker.core.policy_reports.unused import Unused
from broker.core.record import record
from broker.core.simulation.past_decision import PassedOver

_Report: TypeAlias = Unused | OverBroad | SubForm | Shadowed | ExpiringReport


@record
class Read:
    """The decisions that were looked at."""

    decisions: Period
    by_these_files: Period
    """Those that were made by these very files."""

    known: int
    """Those of an issuer or account that the files have."""

    erased: int
    """Those whose claims were erased."""

    undecidable: int
    """Those of which it is not known what these files would make of them."""

    passed_over: Mapping[PassedOver, int]

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON members."""
        first, last, since = self.decisions.first, self.decisions.last, self.by_these_files.first
        return {
            "first": None if first is None else rfc3339(first),
            "last": None if last is None else rfc3339(last),
            "decisions": self.decisions.runs,
            "by_these_files": {
                "decisions": self.by_these_files.runs,
                "first": None if since is None else rfc3339(since),
            },
            "erased": self.erased,
            "undecidable": self.undecidable,
            "passed_over": {each.value: self.passed_over.get(each, 0) for each in PassedOver},
        }


@record
class PolicyReports:
    """What was asked for; a report that was not made is None."""

    policy_set: str
    """The version of the set."""

    read: Read | None
    """None when no decisions were given."""

    left_out: tuple[ReportName, ...]
    """Reports that were asked for and need decisions."""

    unused: Unused | None
    over_broad: OverBroad | None
    sub_form: SubForm | None
    shadowed: Shadowed | None
    expiring: ExpiringReport | None
    within: int
    """Within how many seconds a policy counts as one that ends soon."""

    def has(self, name: ReportName) -> bool:
        """Tell whether a report has found something to act upon."""
        found = self._by_name()[name]
        return found is not None and found.has_findings

    def as_json(self) -> dict[str, Any]:
        """Give the reports as JSON members."""
        return {
            "policy_set": self.policy_set,
            "read": None if self.read is None else self.read.as_json(),
            "left_out": [each.value for each in self.left_out],
            **{
                name.value.replace("-", "_"): None if each is None else each.as_json()
                for name, each in self._by_name().items()
            },
        }

    def _by_name(self) -> dict[ReportName, _Report | None]:
        return {
            ReportName.UNUSED: self.unused,
            ReportName.OVER_BROAD: self.over_broad,
            ReportName.SUB_FORM: self.sub_form,
            ReportName.SHADOWED: self.shadowed,
            ReportName.EXPIRING: self.expiring,
        }
