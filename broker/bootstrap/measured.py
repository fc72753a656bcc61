"""What counts in this process, and where the figures of all of them are read."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from broker.core.indexed_policies import IndexedPolicies
from broker.grants.token_exchange import TokenExchange
from broker.issuer_keys import HttpIssuerKeys
from broker.metrics.board import Board
from broker.metrics.recorded import Recorded
from broker.metrics.scrape import Scrape
from broker.ports import NOT_MEASURED, Clock, Measurements, MetricsPage, PolicyStatus, Store


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures that all processes of a broker share, and the part of this one in them."""

    board: Board
    measurements: Measurements
    supervisor: int | None = None

    @classmethod
    def by_worker(
        cls, board: Board, number: int, supervisor: int | None = None, *, counts: bool = True
    ) -> "Measured":
        """Begin to count as a worker; `counts` is off to find out what counting costs."""
        recorded = Recorded(board.block(number))
        return cls(board, recorded if counts else NOT_MEASURED, supervisor)

    @classmethod
    def alone(cls) -> "Measured":
        """Begin to count as the only process."""
        return cls.by_worker(Board(1), 0)

    def swapped(
        self, clock: Clock, issuer_keys: HttpIssuerKeys
    ) -> Callable[[IndexedPolicies], Awaitable[None]]:
        """Give what is called with every policy set that comes into force."""

        async def swapped(new: IndexedPolicies) -> None:
            self.measurements.policies_changed(clock.now())
            await issuer_keys.retain(new.policy_set.issuers.values())

        return swapped

    def page(self, exchange: TokenExchange, status: PolicyStatus, store: Store) -> MetricsPage:
        """Give what writes the figures of all."""
        return Scrape(
            self.board,
            exchange.policies,
            status,
            store,
            exchange.signing_keys,
            exchange.clock,
            self.supervisor,
        )
