"""The policy sets: the one in force, those that ran, where they are kept, and reloading."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from broker.core.errors import Problem
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import PolicySet
from broker.core.policy_changes import PolicyChanges
from broker.core.simulation.tally import Report


class PolicySource(Protocol):
    """The policy set in force."""

    def current(self) -> IndexedPolicies:
        """Give the set that decides from now on."""
        ...


@dataclass(frozen=True, slots=True)
class PolicyFault:
    """Why the policy files are not in force, while an earlier set goes on deciding."""

    since: float
    """Seconds since the epoch."""

    problems: tuple[Problem, ...]
    """The first of them."""

    count: int
    """How many there are."""


class PolicyStatus(Protocol):
    """Whether what decides is what the policy files say."""

    def fault(self) -> PolicyFault | None:
        """Tell why it is not; None when it is."""
        ...


@dataclass(frozen=True, slots=True)
class Reloaded:
    """Another set is in force."""

    changes: PolicyChanges


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The files say what is in force already."""

    version: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The set `version` stays in force; `problems` are the first of `count`."""

    version: str
    problems: tuple[Problem, ...]
    count: int


ReloadOutcome: TypeAlias = Reloaded | Unchanged | Rejected


class PolicyReloading(Protocol):
    """Putting the policy files in force, all at once or not at all."""

    async def reload(self, *, forced: bool, actor: str) -> ReloadOutcome:
        """Read the files and put them in force, if they are good and nothing speaks against it.

        `forced` also takes a set that is empty or drops a deny policy; `actor` goes into the audit.
        Raises `Unavailable`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Simulated:
    """What other files would have made of the decisions on record."""

    report: Report
    complete: bool
    """Whether every event of the span was decided; if not, the newest were."""


class CandidateRefused(Exception):
    """What is to be simulated is no change of policy files; the message says why."""


class PolicySimulation(Protocol):
    """Trying changed policy files on the decisions on record; nothing comes into force."""

    async def simulate(
        self,
        files: Mapping[str, str | None],
        *,
        since: float | None,
        until: float | None,
        actor: str,
    ) -> Simulated | Rejected:
        """Decide once more what is on record, by the files in force with these in their place.

        `files` are texts by path below the policy folder, None where a file is gone; `since` and
        `until` are seconds since the epoch; `actor` goes into the audit. Raises `CandidateRefused`
        and `Unavailable`.
        """
        ...


class PolicyHistory(Protocol):
    """The policy sets that ran."""

    async def find(self, version: str) -> PolicySet | None:
        """Find a set as it ran. Raises `Unavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class KeptPolicySet:
    """A policy set that ran, as the store keeps it: sealed under the master key."""

    version: str
    content: bytes


class PolicySetReading(Protocol):
    """The policy sets that ran, as they lie in the store."""

    async def policy_set(self, version: str) -> bytes | None:
        """Find the content of a kept set. Raises `Unavailable`."""
        ...

    async def last_policy_set(self) -> KeptPolicySet | None:
        """Find the set that came into force last. Raises `Unavailable`."""
        ...


class PolicySetStore(PolicySetReading, Protocol):
    """Where every policy set that ran is kept, once, under its version."""

    async def keep_policy_set(
        self, version: str, content: bytes, now: float, *, new_ids: Sequence[str] = ()
    ) -> bool:
        """Keep a set as the last that ran, in place of one of its version; tell whether it is kept.

        It is not when an account that was made has, or had, one of `new_ids`. `now` is in seconds
        since the epoch. Raises `Unavailable`.
        """
        ...
