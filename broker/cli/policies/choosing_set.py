"""Recorded events, decided by the set that they are of: the first that has their issuer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from broker.cli.policies.recorded_events import RecordedEvents
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import PolicySet

_LOOKED_AT: Final = 10_000
"""How many events are looked at for one that says whose set is meant."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The set that events are of, with what is known where they are."""

    policies: IndexedPolicies
    base: IndexedPolicies | None
    all_accounts: bool


class TakesEvents(Protocol):
    """What looks at events one by one."""

    def take(self, event: Mapping[str, Any], *, size: int | None = None) -> object:
        """Look at one event. Raises `EventRefused`."""
        ...


Taker = TypeVar("Taker", bound=TakesEvents)


class ChoosingSet(Generic[Taker]):
    """Takes events, and holds them back until it is known which set they are of."""

    def __init__(
        self,
        sets: Sequence[PolicySet],
        events: RecordedEvents,
        begin: Callable[[Chosen], Taker],
        before: Sequence[PolicySet] = (),
    ) -> None:
        """`begin` makes what the events are for; `before` are the sets of before, if at hand."""
        self._sets = sets
        self._events = events
        self._begin_with = begin
        self._before = before
        self._held: list[tuple[Mapping[str, Any], int | None]] = []
        self._taker: Taker | None = None

    def take(self, event: Mapping[str, Any], size: int | None) -> None:
        """Take one event. Raises `EventRefused`."""
        if self._taker is not None:
            self._taker.take(event, size=size)
            return
        self._held.append((event, size))
        claims = event.get("claims")
        url = claims.get("iss") if isinstance(claims, Mapping) else None
        if isinstance(url, str) or len(self._sets) == 1 or len(self._held) >= _LOOKED_AT:
            self._begin(url)

    def finished(self) -> Taker:
        """Give what has taken all events. Raises `EventRefused`."""
        return self._begin(None) if self._taker is None else self._taker

    def _begin(self, url: object) -> Taker:
        around = self._events.surroundings(_having(url, self._sets))
        base = IndexedPolicies.of(_having(url, self._before)) if self._before else around.base
        taker = self._taker = self._begin_with(
            Chosen(IndexedPolicies.of(around.policy_set), base, around.all_accounts)
        )
        held, self._held = self._held, []
        for event, size in held:
            taker.take(event, size=size)
        return taker


def _having(url: object, sets: Sequence[PolicySet]) -> PolicySet:
    having = (each for each in sets if isinstance(url, str) and each.issuer_by_url(url))
    return next(having, sets[0])
