"""What is counted of one policy: the runs that it decided, and what these had and got."""

from dataclasses import dataclass, field

from broker.core.policy import Policy
from broker.core.policy_reports.seen_values import SeenValues


@dataclass(slots=True)
class Period:
    """How often, and between which instants, in seconds since the epoch; None for never."""

    runs: int = 0
    first: float | None = None
    last: float | None = None

    def add(self, time: float) -> None:
        """Count one more."""
        self.runs += 1
        if self.first is None or time < self.first:
            self.first = time
        if self.last is None or time > self.last:
            self.last = time


@dataclass(slots=True)
class PolicyUse:
    """The use of one policy.

    A run is one that an allow policy permitted, that a deny policy refused, or where an observed
    policy held.
    """

    policy: Policy
    values: tuple[SeenValues, ...]
    runs: Period = field(default_factory=Period)
    newly: int = 0
    """Decisions that it would have a part in by these files, and had none on record."""

    perhaps: int = 0
    """Decisions that it may have a part in, as far as is on record, and had none."""

    otherwise: int = 0
    """Of the runs, those for whose job it holds no more."""

    erased: int = 0
    """Of the runs, those whose claims were erased."""

    refused: int = 0
    """Refusals for another reason that name it."""

    explained: int = 0
    """Explanations that name it; they granted nothing."""

    scopes: dict[str, set[str]] = field(default_factory=dict)
    """What was granted to its runs, by service."""

    asked_for_all: int = 0
    """Of the runs, those that named no scope."""

    @property
    def looked_at(self) -> int:
        """How many runs the values are of."""
        return self.runs.runs - self.otherwise - self.erased
