"""Which policies may decide what hangs on claims that are not on record.

Whatever is on record holds for them: they are not to be called unused for want of a record.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from broker.core.claims import Claims
from broker.core.holding import policy_holds
from broker.core.policy import Issuer, Mode, Policy, PolicySet
from broker.core.policy_index import PolicyIndex

_MOST_INDEXES: Final = 64


class MayDecide:
    """Finds the enforcing policies that hold as far as is known."""

    def __init__(self, policy_set: PolicySet) -> None:
        self._policies = policy_set.policies
        self._indexes: dict[tuple[str, tuple[str, ...]], PolicyIndex] = {}

    def names(
        self, issuer: Issuer, claims: Claims, unknown: tuple[str, ...], now: float
    ) -> Iterator[str]:
        """Yield those that hold at an instant, whatever the token had of the `unknown` claims."""
        for each in self._index(issuer, unknown).candidates(claims):
            if policy_holds(each, issuer, claims, now):
                yield each.name

    def _index(self, issuer: Issuer, unknown: tuple[str, ...]) -> PolicyIndex:
        found = self._indexes.get((issuer.name, unknown))
        if found is None:
            if len(self._indexes) >= _MOST_INDEXES:
                self._indexes.clear()
            found = PolicyIndex(issuer, self._known(issuer, frozenset(unknown)))
            self._indexes[issuer.name, unknown] = found
        return found

    def _known(self, issuer: Issuer, unknown: frozenset[str]) -> Iterator[Policy]:
        """Yield the policies of an issuer without their conditions on these claims."""
        for each in self._policies.values():
            if each.issuer == issuer.name and each.mode is Mode.ENFORCE:
                known = [one for one in each.conditions if one.top_level_claim not in unknown]
                yield replace(each, conditions=tuple(known))
