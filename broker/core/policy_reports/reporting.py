"""Reports under way: one event after the other, in memory that does not grow with them."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import PolicySet
from broker.core.policy_reports.dependence import Dependences
from broker.core.policy_reports.expiring import ending_by, expiring
from broker.core.policy_reports.over_broad import over_broad
from broker.core.policy_reports.policy_reports import PolicyReports, Read
from broker.core.policy_reports.policy_use import Period
from broker.core.policy_reports.report_name import WITHOUT_TRAFFIC, ReportName
from broker.core.policy_reports.shadowed import shadowed_policies
from broker.core.policy_reports.sub_form import SubForms
from broker.core.policy_reports.unused import unused
from broker.core.policy_reports.uses import Uses
from broker.core.record import record
from broker.core.simulation.outcome import Undecidable
from broker.core.simulation.past_decision import PassedOver, PastDecision, past_decision
from broker.core.simulation.redecision import REMEMBERED, Redecision


@record
class Wanted:
    """Which reports are wanted, and of when."""

    reports: frozenset[ReportName]
    now: float
    """Seconds since the epoch."""

    within: int
    """Within how many seconds a policy counts as one that ends soon."""


class Reporting:
    """Looks at decisions on record, and tells what they say of a policy set."""

    def __init__(
        self,
        policies: IndexedPolicies,
        wanted: Wanted,
        *,
        base: IndexedPolicies | None = None,
        all_accounts: bool = False,
        own_audiences: frozenset[str] = frozenset(),
        remembered: int = REMEMBERED,
    ) -> None:
        """All but `wanted` is as of `Redecision`."""
        self._set = policies.policy_set
        self._base = None if base is None else base.policy_set
        self._chosen = wanted.reports
        self._wanted = wanted
        self._redecision = Redecision(
            policies,
            base=base,
            all_accounts=all_accounts,
            own_audiences=own_audiences,
            remembered=remembered,
        )
        self._uses = Uses(policies)
        self._dependences: Dependences | None = None
        if self._chosen & {ReportName.SHADOWED, ReportName.EXPIRING}:
            ends = ending_by(self._set.policies.values(), wanted.now, wanted.within)
            ending = {each.name for each in ends} if ReportName.EXPIRING in self._chosen else ()
            self._dependences = Dependences(policies, self._redecision, ending=ending)
        self._sub_forms: SubForms | None = None
        if ReportName.SUB_FORM in self._chosen:
            self._sub_forms = SubForms(policies, self._redecision)
        self._passed_over: Counter[PassedOver] = Counter()
        self._decisions = Period()
        self._undecidable = 0
        self._known = 0

    def take(self, event: Mapping[str, Any], *, size: int | None = None) -> None:
        """Look at one event, given as JSON members; `size` is that of its line in bytes.

        Raises `EventRefused`.
        """
        past = past_decision(event) if size is None else past_decision(event, size=size)
        if isinstance(past, PassedOver):
            self._passed_over[past] += 1
            return
        if past.unless_lifted is not None and not self._redecision.lifts(past):
            self._passed_over[past.unless_lifted] += 1
            return
        found = self._redecision.decide(past)
        self._decisions.add(past.time)
        self._undecidable += isinstance(found, Undecidable)
        self._known += self._knows(past)
        self._uses.take(past, found)
        if self._dependences is not None:
            self._dependences.take(past, found)
        if self._sub_forms is not None:
            self._sub_forms.take(past, found)

    def reports(self) -> PolicyReports:
        """Tell what was found so far."""
        chosen, dependences = self._chosen, self._dependences
        now, within = self._wanted.now, self._wanted.within
        shadowed = expired = None
        if dependences is not None and ReportName.SHADOWED in chosen:
            shadowed = shadowed_policies(self._set, now, dependences.beside)
        if dependences is not None and ReportName.EXPIRING in chosen:
            expired = expiring(self._set, now, within, dependences.ending, dependences.together)
        return PolicyReports(
            policy_set=self._set.version,
            read=self._read(),
            left_out=(),
            unused=(
                unused(self._uses, self._set, self._base) if ReportName.UNUSED in chosen else None
            ),
            over_broad=(
                over_broad(self._uses.policies, self._set)
                if ReportName.OVER_BROAD in chosen
                else None
            ),
            sub_form=None if self._sub_forms is None else self._sub_forms.report(),
            shadowed=shadowed,
            expiring=expired,
            within=within,
        )

    def _read(self) -> Read:
        by_these = Period()
        for (version, _), period in self._uses.sets.items():
            if version and version == self._set.version and period.first is not None:
                by_these.runs += period.runs
                by_these.first = min(by_these.first or period.first, period.first)
        return Read(
            decisions=self._decisions,
            by_these_files=by_these,
            known=self._known,
            erased=self._uses.erased,
            undecidable=self._undecidable,
            passed_over=dict(self._passed_over),
        )

    def _knows(self, past: PastDecision) -> bool:
        """Tell whether the files name anything of a decision: what asked, or what it got."""
        accounts = self._set.service_accounts
        url = str((past.claims or {}).get("iss"))
        return (
            self._set.issuer_by_url(url) is not None
            or past.client_id in accounts
            or past.outcome.service_account in accounts
        )


def without_traffic(policy_set: PolicySet, wanted: Wanted) -> PolicyReports:
    """Tell what the files alone say; what needs decisions is left out, and named."""
    names, now, within = wanted.reports, wanted.now, wanted.within
    return PolicyReports(
        policy_set=policy_set.version,
        read=None,
        left_out=tuple(each for each in ReportName if each in names - WITHOUT_TRAFFIC),
        unused=None,
        over_broad=None,
        sub_form=None,
        shadowed=shadowed_policies(policy_set, now) if ReportName.SHADOWED in names else None,
        expiring=expiring(policy_set, now, within) if ReportName.EXPIRING in names else None,
        within=within,
    )
