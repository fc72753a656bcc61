"""Limits over counts in memory, as one process or several hold them."""

from dataclasses import dataclass, field
from typing import Any

from broker.core.errors import RateLimited
from broker.core.refusal_counts import RefusalCounts
from broker.grants.limit_sharing import LimitSharing
from broker.grants.rate_limits import RateLimits
from broker.grants.request import Caller
from broker.testing import FrozenClock
from tests.core.builders import NOW
from tests.grants.ports_in_memory import InMemoryCounts, NumberedIdentifiers


@dataclass
class Limiting:
    """What the processes of a broker limit by."""

    clock: FrozenClock = field(default_factory=lambda: FrozenClock(NOW))
    counts: InMemoryCounts = field(default_factory=InMemoryCounts)
    refusals: RefusalCounts = field(
        default_factory=lambda: RefusalCounts(NumberedIdentifiers().new)
    )

    def process(self, **rates: Any) -> tuple[RateLimits, LimitSharing]:
        sharing = LimitSharing(self.counts, self.clock)
        return RateLimits(sharing, self.refusals, **rates), sharing


async def client_is_admitted(limits: RateLimits, sub: str = "deploy-web") -> bool:
    """Ask for one request of a client, from a caller of its own."""
    try:
        waiting = limits.ask_client(Caller("request"), sub, NOW)
        if waiting is not None:
            await waiting
    except RateLimited:
        return False
    return True
