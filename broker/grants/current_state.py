"""Deciding by the current state: a decision that was overtaken by a change is made anew."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from broker.core.errors import Reason, Unavailable
from broker.ports import Entry, Ledger, Receipt, Stale, State

ATTEMPTS: Final = 5

Result = TypeVar("Result")


class StateChanged(Exception):
    """The ledger wrote nothing: what the decision was made by is no longer current."""


async def by_current_state(state: State, decide: Callable[[int], Awaitable[Result]]) -> Result:
    """Give what `decide` makes of the state at an epoch; anew for as long as that is overtaken.

    Raises what `decide` raises, and `Unavailable` (`store_unavailable`) when the state changes
    faster than it can be read.
    """
    for _ in range(ATTEMPTS):
        try:
            return await decide(state.epoch())
        except StateChanged:
            await state.refresh()
    raise Unavailable(Reason.STORE_UNAVAILABLE, "the state changes too fast", retry_after=1)


async def commit(ledger: Ledger, entry: Entry) -> Receipt:
    """Make an entry durable. Raises `StateChanged` and `Unavailable`."""
    receipt = await ledger.commit(entry)
    if isinstance(receipt, Stale):
        raise StateChanged
    return receipt
