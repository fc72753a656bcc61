"""What the processes of one store count together: requests under a rate limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from broker.core.limits import Rate, Total


@dataclass(frozen=True, slots=True)
class CountReport:
    """What one process has counted under a key since it shared last."""

    key: bytes
    """A digest: what is counted may be of any length."""

    rate: Rate
    own: int


@dataclass(frozen=True, slots=True)
class SharedTotals:
    """The totals of the reported keys, in their order, and how many processes share them."""

    totals: Sequence[Total]
    processes: int


class SharedCounts(Protocol):
    """The totals of all processes; they need not outlive a crash of the machine."""

    async def share(self, reports: Sequence[CountReport], now: float) -> SharedTotals:
        """Add what was counted, and say that this process lives; `now` in epoch seconds.

        Raises `Unavailable`.
        """
        ...
