"""What is counted of a simulation, within bounds that no traffic can move (attacks row 170).

Counts are exact, however many groups there are; of what is told one by one, what comes beyond the
bound is counted together.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from broker.core.audit import rfc3339
from broker.core.record import record
from broker.core.simulation.causes import Cause
from broker.core.simulation.change import Change, Group, Subject, ref_of
from broker.core.simulation.outcome import Kind
from broker.core.simulation.past_decision import PassedOver, PastDecision

MAX_GROUPS: Final = 500
"""How many changes of one kind are told."""

MAX_NAMED: Final = 10_000
"""Of how many tenants, policies and conditions each the runs are counted apart."""

_TOLD: Final = (Kind.NEWLY_DENIED, Kind.NEWLY_PERMITTED, Kind.CHANGED, Kind.UNDECIDABLE)


@record
class Report:
    """What a simulation found. Times are seconds since the epoch, None when there was no event."""

    policy_set: str
    """The version of the set that decided."""

    counts: Mapping[Kind, int]
    passed_over: Mapping[PassedOver, int]
    known: int
    """How many decisions are of an issuer or account that the files have."""

    first: float | None
    last: float | None
    groups: Mapping[Kind, tuple[Group, ...]]
    """The largest first."""

    more: Mapping[Kind, int]
    """Runs of groups that are not told."""

    tenants: Mapping[Subject, Mapping[Kind, int]]
    all_tenants: bool
    """Whether there are no others than these."""

    namesakes: frozenset[str]
    """The names of tenants that jobs of more than one issuer have."""

    policies: Mapping[str, Mapping[Kind, int]]
    """By policy, the decisions that it made or would make."""

    causes: Mapping[Cause, int]

    @property
    def decisions(self) -> int:
        """How many decisions there were."""
        return sum(self.counts.values())

    def runs_of(self, subject: Subject) -> int | None:
        """Tell how many decisions there were on jobs of a tenant, where that was counted."""
        found = self.tenants.get(subject)
        return None if found is None else sum(found.values())

    def as_json(self) -> dict[str, Any]:
        """Give the report as JSON members."""
        return {
            "policy_set": self.policy_set,
            "first": None if self.first is None else rfc3339(self.first),
            "last": None if self.last is None else rfc3339(self.last),
            "decisions": self.decisions,
            **{kind.value: self.counts[kind] for kind in Kind},
            "passed_over": {each.value: self.passed_over[each] for each in PassedOver},
            "groups": [self.group_json(each) for kind in _TOLD for each in self.groups[kind]],
            "more": {kind.value: self.more[kind] for kind in _TOLD},
            "policies": [
                {"policy": name, **_told(counts)} for name, counts in self.policies.items()
            ],
            "tenants": [
                {"tenant": subject.tenant, "issuer": subject.issuer, **_told(counts)}
                for subject, counts in sorted(self.tenants.items(), key=by_name)
                if any(counts[kind] for kind in _TOLD)
            ],
            "conditions": [
                {"policy": cause.policy, "what": cause.what, "runs": runs}
                for cause, runs in self.causes.items()
            ],
        }

    def group_json(self, group: Group) -> dict[str, Any]:
        """Give one change as JSON members."""
        change = group.change
        changes: dict[str, list[Any]] = {name: [was, now] for name, was, now in change.others}
        if change.life:
            changes["ttl"] = list(group.ttls)
        return {
            "kind": change.kind.value,
            "tenant": None if change.subject.client else change.subject.tenant or None,
            "issuer": change.subject.issuer or None,
            "client_id": change.subject.tenant if change.subject.client else None,
            "refs": list(group.refs),
            "all_refs": group.all_refs,
            "service": change.service,
            "service_account": change.service_account,
            "policies": list(change.policies),
            "reason": change.reason,
            "causes": [{"policy": each.policy, "what": each.what} for each in change.causes],
            "claims": list(change.claims),
            "gains": list(change.gains),
            "losses": list(change.losses),
            "changes": changes,
            "runs": group.runs,
            "of": self.runs_of(change.subject),
            "first": rfc3339(group.first),
            "last": rfc3339(group.last),
            "decision_id": group.example,
        }


class Tally:
    """The counts of a simulation under way."""

    def __init__(self) -> None:
        self._counts: Counter[Kind] = Counter()
        self._passed_over: Counter[PassedOver] = Counter()
        self._known = 0
        self._first: float | None = None
        self._last: float | None = None
        self._groups: dict[Kind, dict[Change, Group]] = {kind: {} for kind in _TOLD}
        self._more: Counter[Kind] = Counter()
        self._tenants: dict[Subject, Counter[Kind]] = {}
        self._all_tenants = True
        self._policies: dict[str, Counter[Kind]] = {}
        self._causes: Counter[Cause] = Counter()

    def pass_over(self, passed: PassedOver) -> None:
        """Count an event that is no decision of policies."""
        self._passed_over[passed] += 1

    def count(self, kind: Kind, past: PastDecision, subject: Subject, *, known: bool) -> None:
        """Count a decision on a job of a tenant, or for a client.

        `known` tells whether the files have its issuer or account.
        """
        self._counts[kind] += 1
        self._known += known
        if self._first is None or self._last is None:
            self._first = self._last = past.time
        self._first, self._last = min(self._first, past.time), max(self._last, past.time)
        if subject.client or not subject.tenant:
            return
        counts = self._tenants.get(subject)
        if counts is None:
            if len(self._tenants) >= MAX_NAMED:
                self._all_tenants = False
                return
            counts = self._tenants[subject] = Counter()
        counts[kind] += 1

    def group(
        self, change: Change, past: PastDecision, ttls: tuple[int | None, int | None]
    ) -> None:
        """Put a decision that changes to those that change alike."""
        for name in change.policies:
            if name in self._policies or len(self._policies) < MAX_NAMED:
                self._policies.setdefault(name, Counter())[change.kind] += 1
        for cause in change.causes:
            if cause in self._causes or len(self._causes) < MAX_NAMED:
                self._causes[cause] += 1
        groups = self._groups[change.kind]
        found = groups.get(change)
        if found is None:
            if len(groups) >= MAX_GROUPS:
                self._more[change.kind] += 1
                return
            found = groups[change] = Group(change, past.id, past.time, past.time, ttls)
        found.add(past.time, ref_of(past))

    def report(self, version: str) -> Report:
        """Tell what was counted; `version` is that of the set that decided."""
        return Report(
            policy_set=version,
            counts={kind: self._counts[kind] for kind in Kind},
            passed_over={each: self._passed_over[each] for each in PassedOver},
            known=self._known,
            first=self._first,
            last=self._last,
            groups={
                kind: tuple(sorted(groups.values(), key=_largest_first))
                for kind, groups in self._groups.items()
            },
            more={kind: self._more[kind] for kind in _TOLD},
            tenants=self._tenants,
            all_tenants=self._all_tenants,
            namesakes=self._namesakes(),
            policies=dict(sorted(self._policies.items())),
            causes=dict(self._causes.most_common()),
        )

    def _namesakes(self) -> frozenset[str]:
        told = (change.subject for groups in self._groups.values() for change in groups)
        names = Counter(each.tenant for each in {*self._tenants, *told} if not each.client)
        return frozenset(name for name, issuers in names.items() if issuers > 1)


def _largest_first(group: Group) -> tuple[object, ...]:
    subject = group.change.subject
    return -group.runs, subject.tenant, subject.issuer, group.first


def by_name(entry: tuple[Subject, object]) -> tuple[str, str]:
    """Order what is counted by tenant, by its name and issuer."""
    return entry[0].tenant, entry[0].issuer


def _told(counts: Mapping[Kind, int]) -> dict[str, int]:
    return {kind.value: counts[kind] for kind in _TOLD}
