"""What hangs on one policy alone: each decision is made again as if the policy were not there."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy_reports.decisive import is_decisive
from broker.core.policy_reports.policy_use import Period
from broker.core.simulation.outcome import Kind, Outcome, Undecidable, differences, kind_of
from broker.core.simulation.past_decision import PastDecision
from broker.core.simulation.redecision import Redecision


@dataclass(slots=True)
class Dependence:
    """The decisions that would come out otherwise without some policies, by what they would be."""

    kinds: dict[Kind, Period] = field(
        default_factory=lambda: {
            kind: Period() for kind in (Kind.NEWLY_DENIED, Kind.NEWLY_PERMITTED, Kind.CHANGED)
        }
    )

    def add(self, kind: Kind, time: float) -> None:
        """Count a decision; nothing when it stays what it is, or that is not known."""
        period = self.kinds.get(kind)
        if period is not None:
            period.add(time)


@dataclass(slots=True)
class Beside:
    """The decisions of a policy that others would have made the same, as long as all are such."""

    runs: Period = field(default_factory=Period)
    others: frozenset[str] | None = None
    """Those that stood beside it each time; None before the first."""


class Dependences:
    """Finds the runs that policies which end decide alone, and policies that decide none alone."""

    def __init__(
        self, policies: IndexedPolicies, redecision: Redecision, *, ending: Iterable[str]
    ) -> None:
        """`ending` are the names of those that end."""
        self._policies = policies.policy_set.policies
        self._redecision = redecision
        self._ending = frozenset(ending)
        self.ending = {name: Dependence() for name in self._ending}
        self.together = Dependence()
        """As if none of those that end were there."""

        self.needed: set[str] = set()
        """Those without which some decision would come out otherwise."""

        self.beside: dict[str, Beside] = {}
        """Those of which no such decision was seen so far."""

    def take(self, past: PastDecision, found: Outcome | Undecidable) -> None:
        """Count a decision, as these files make it."""
        if past.client_id is not None:
            return
        if not isinstance(found, Outcome):
            before = past.outcome
            if len(before.policies) == 1 and is_decisive(before):
                # Whether another one would stand in, nobody can tell from what is on record.
                self._need(before.policies[0])
            return
        ending = self._ending.intersection(found.policies) if self._ending else ()
        for name in ending:
            self.ending[name].add(self._without(past, found, frozenset({name})), past.time)
        if ending:
            self.together.add(self._without(past, found, self._ending), past.time)
        if not is_decisive(found):
            return
        if len(found.policies) == 1:
            # What nobody else grants or denies would be refused, or let in.
            self._need(found.policies[0])
            return
        for name in found.policies:
            if name not in self.needed:
                self._compare(name, past, found)

    def _compare(self, name: str, past: PastDecision, found: Outcome) -> None:
        kind = self._without(past, found, frozenset({name}))
        if kind is not Kind.UNCHANGED:
            self._need(name)
            return
        beside = self.beside.setdefault(name, Beside())
        beside.runs.add(past.time)
        others = frozenset(found.policies) - {name}
        beside.others = others if beside.others is None else beside.others & others

    def _need(self, name: str) -> None:
        self.needed.add(name)
        self.beside.pop(name, None)

    def _without(self, past: PastDecision, found: Outcome, names: frozenset[str]) -> Kind:
        now = self._redecision.decide(past, without=names)
        if isinstance(now, Undecidable):
            return Kind.UNDECIDABLE
        slack = int(found.cut or now.cut)
        return kind_of(found, now, differences(found, now, ttl_slack=slack))
