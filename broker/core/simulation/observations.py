"""What observed policies would have done, counted: beside the enforcing ones, or in their place.

Beside them it is on record what would have been decided. In their place, every decision is made
again, by the observed policies alone: that is how a new set is tried which is to replace the old.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Final

from broker.core.indexed_policies import IndexedPolicies
from broker.core.observation import MAX_NAMED
from broker.core.policy import Mode, Policy, PolicySet
from broker.core.record import record
from broker.core.simulation.change import Change, Group, Subject, ref_of
from broker.core.simulation.outcome import Kind, Outcome, Undecidable
from broker.core.simulation.past_decision import PastDecision
from broker.core.simulation.redecision import Redecision
from broker.core.simulation.simulation import Compared, Simulation
from broker.core.simulation.tally import Report

MAX_POLICIES: Final = 10_000
"""Of how many policies is told apart what they do."""

MAX_TENANTS: Final = 50_000
"""Of how many tenants, those of every policy together, the runs are counted apart."""

MAX_GROUPS: Final = 200
"""How many changes are told of one policy."""

MAX_ALL_GROUPS: Final = 10_000

NOT_COMPARED: Final = "what the observed policies would have changed is not on record"


@dataclass(slots=True)
class PolicyTally:
    """What one observed policy would have done. Times are seconds since the epoch.

    They are infinite while it has held in no run.
    """

    name: str
    policy: Policy | None
    """None for one that the files do not have, or have enforced."""

    counts: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(Kind, 0))
    first: float = inf
    last: float = -inf
    tenants: dict[Subject, dict[Kind, int]] = field(default_factory=dict)
    all_tenants: bool = True
    groups: dict[Change, Group] = field(default_factory=dict)
    more: int = 0
    """Runs of changes that are not told."""

    @property
    def runs(self) -> int:
        """In how many runs it held."""
        return sum(self.counts.values())

    def largest(self, kind: Kind) -> list[Group]:
        """Give the changes of one kind, the largest first."""
        groups = (group for change, group in self.groups.items() if change.kind is kind)
        return sorted(groups, key=lambda group: (-group.runs, group.first, group.example))


@record
class ObservationReport:
    """What was found of observed policies."""

    report: Report
    """Of all of them together."""

    alone: bool
    """Whether they decide alone, without the enforcing ones."""

    policies: tuple[PolicyTally, ...]
    """By name: those of the files, and those on record."""

    without: PolicyTally
    """What changes because none of them holds; only where they decide alone."""

    cut: bool
    """Whether more policies may have held than an event names."""

    @property
    def never_held(self) -> tuple[str, ...]:
        """Name the policies of the files that no decision knows of."""
        return tuple(each.name for each in self.policies if not each.runs)


class Observations:
    """Takes events, and counts what observed policies would have made of them.

    In memory that does not grow with the events.
    """

    def __init__(
        self,
        policies: IndexedPolicies,
        *,
        alone: bool = False,
        all_accounts: bool = False,
        own_audiences: frozenset[str] = frozenset(),
    ) -> None:
        """`policies` are those of the files; the other arguments are those of `Redecision`."""
        policy_set = policies.policy_set
        self._alone = alone
        if alone:
            deciding = IndexedPolicies.of(observed_alone(policy_set))
            redecision = Redecision(
                deciding, base=policies, all_accounts=all_accounts, own_audiences=own_audiences
            )
            self._simulation = Simulation(deciding, redecision=redecision, replacing=True)
        else:
            deciding = IndexedPolicies.of(observed_counted(policy_set))
            self._simulation = Simulation(deciding, redecision=_OnRecord())
        self._version = policy_set.version
        self._policies = {
            name: PolicyTally(name, policy)
            for name, policy in sorted(policy_set.policies.items())
            if policy.mode is Mode.OBSERVE
        }
        self._without = PolicyTally("", None)
        self._tenants = self._groups = 0
        self._cut = False

    def take(self, event: Mapping[str, Any], *, size: int | None = None) -> None:
        """Take one event, given as JSON members, as a simulation does. Raises `EventRefused`."""
        compared = self._simulation.take(event, size=size)
        if compared is None:
            return
        past = compared.past
        self._cut |= len(past.observed) >= MAX_NAMED
        deciding = set(self._deciding(compared))
        for name in deciding.union(past.observed):
            tally = self._tally(name)
            if tally is not None:
                self._count(tally, compared, deciding=name in deciding)
        if self._alone and not deciding and compared.change is not None:
            self._count(self._without, compared, deciding=True)

    def report(self) -> ObservationReport:
        """Tell what was found so far."""
        return ObservationReport(
            replace(self._simulation.report(), policy_set=self._version),
            self._alone,
            tuple(self._policies[name] for name in sorted(self._policies)),
            self._without,
            self._cut,
        )

    def _deciding(self, compared: Compared) -> Iterator[str]:
        """Name the observed policies that a change is owed to."""
        found, observed = compared.found, compared.past.observed
        if self._alone:
            if isinstance(found, Outcome):
                yield from found.policies
        elif compared.kind is not Kind.UNCHANGED:
            named = isinstance(found, Outcome) and set(found.policies).intersection(observed)
            yield from named or observed

    def _tally(self, name: str) -> PolicyTally | None:
        found = self._policies.get(name)
        if found is None and len(self._policies) < MAX_POLICIES:
            found = self._policies[name] = PolicyTally(name, None)
        return found

    def _count(self, tally: PolicyTally, compared: Compared, *, deciding: bool) -> None:
        past, change = compared.past, compared.change
        kind = compared.kind if deciding else Kind.UNCHANGED
        tally.counts[kind] += 1
        tally.first, tally.last = min(tally.first, past.time), max(tally.last, past.time)
        self._count_tenant(tally, compared.subject, kind)
        if kind is Kind.UNCHANGED or change is None:
            return
        group = tally.groups.get(change)
        if group is None:
            if len(tally.groups) >= MAX_GROUPS or self._groups >= MAX_ALL_GROUPS:
                tally.more += 1
                return
            self._groups += 1
            ttl = compared.found.ttl if isinstance(compared.found, Outcome) else None
            ttls = (past.outcome.ttl, ttl)
            group = tally.groups[change] = Group(change, past.id, past.time, past.time, ttls)
        group.add(past.time, ref_of(past))

    def _count_tenant(self, tally: PolicyTally, subject: Subject, kind: Kind) -> None:
        if subject.client or not subject.tenant:
            return
        counts = tally.tenants.get(subject)
        if counts is None:
            if self._tenants >= MAX_TENANTS:
                tally.all_tenants = False
                return
            self._tenants += 1
            counts = tally.tenants[subject] = dict.fromkeys(Kind, 0)
        counts[kind] += 1


class _OnRecord:
    """Gives what is on record of observed policies; implements `Redeciding`."""

    def decide(self, past: PastDecision) -> Outcome | Undecidable:
        """Give what would have been decided, which is what was where none of them held."""
        if past.would is not None:
            return past.would
        return Undecidable(NOT_COMPARED) if past.observed else past.outcome

    def lifts(self, past: PastDecision) -> bool:  # noqa: ARG002 - as `Redeciding` has it
        """Leave to issuers what they refuse."""
        return False


def observed_counted(policy_set: PolicySet) -> PolicySet:
    """Give the set in which every observed policy is enforced; it has no version."""
    return _with(policy_set, policy_set.policies.values())


def observed_alone(policy_set: PolicySet) -> PolicySet:
    """Give the set in which the observed policies are enforced, and no others are there."""
    return _with(
        policy_set, (each for each in policy_set.policies.values() if each.mode is Mode.OBSERVE)
    )


def _with(policy_set: PolicySet, policies: Iterable[Policy]) -> PolicySet:
    enforced = {each.name: replace(each, mode=Mode.ENFORCE) for each in policies}
    return replace(policy_set, policies=enforced, version="")
