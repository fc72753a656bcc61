"""Which of many policies are worth comparing with one, by what their values begin with.

Sets of policies are whole numbers, one bit each, so that comparing 10,000 policies with 10,000
others costs little: nothing is compared that a literal, or the beginning of a glob, rules out.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from broker.core.claims import fold_ascii
from broker.core.conditions import AnyOf, Condition, Equals, Glob
from broker.core.globs import literal_prefix

ConditionsByClaim = Mapping[str, Condition]

MAX_COMPARED: Final = 64
"""How many policies one is compared with at most, in the order in which they were given."""

# The bits of a rarer value are put together when asked for: kept, they would fill the memory.
_MANY: Final = 32

_Beginning = tuple[str, bool]
"""What a value begins with, and whether it ends there."""


class PrefixIndex:
    """Policies by the beginnings of their values; each is known by its place in the sequence."""

    def __init__(self, policies: Sequence[ConditionsByClaim]) -> None:
        """File the policies."""
        constraining: dict[str, list[int]] = defaultdict(list)
        drawers: dict[str, dict[_Beginning, list[int]]] = defaultdict(dict)
        for place, conditions in enumerate(policies):
            for claim, condition in conditions.items():
                constraining[claim].append(place)
                for beginning in _beginnings(condition):
                    drawers[claim].setdefault(beginning, []).append(place)
        self._everyone = (1 << len(policies)) - 1
        self._constraining = {claim: _bits(places) for claim, places in constraining.items()}
        self._drawers = {claim: _Drawer(filed) for claim, filed in drawers.items()}

    def compatible_after(self, place: int, conditions: ConditionsByClaim) -> Iterator[int]:
        """Yield the places behind one of policies that may hold together with these conditions."""
        passed = place + 1
        found = self._unexcluded(conditions) >> passed
        return (passed + each for each in _first_places(found))

    def implied(self, conditions: ConditionsByClaim) -> Iterator[int]:
        """Yield the places of policies that may hold whenever these conditions do."""
        found = self._unexcluded(conditions)
        for claim, constraining in self._constraining.items():
            if claim not in conditions:
                found &= ~constraining
        return _first_places(found)

    def _unexcluded(self, conditions: ConditionsByClaim) -> int:
        found = self._everyone
        for claim, condition in conditions.items():
            drawer, beginnings = self._drawers.get(claim), _beginnings(condition)
            if drawer is None or not beginnings:
                continue
            fitting = self._everyone & ~drawer.everyone
            for beginning in beginnings:
                fitting |= drawer.fitting(*beginning)
            found &= fitting
        return found


class _Drawer:
    """The policies that confine one claim to values with known beginnings."""

    def __init__(self, filed: Mapping[_Beginning, Sequence[int]]) -> None:
        self._filed = filed
        self._sorted = sorted(filed)
        self._lengths = sorted({len(text) for text, ends in filed if not ends})
        self._known: dict[_Beginning, int] = {}
        self.everyone = _bits([place for places in filed.values() for place in places])

    def fitting(self, text: str, ends: bool) -> int:  # noqa: FBT001 a beginning in two parts
        """Give the policies with a value that may be one that begins so."""
        known = self._known.get((text, ends))
        if known is not None:
            return known
        places = [place for each in self._fitting(text, ends=ends) for place in self._filed[each]]
        bits = _bits(places)
        if len(places) >= _MANY:
            self._known[text, ends] = bits
        return bits

    def _fitting(self, text: str, *, ends: bool) -> Iterator[_Beginning]:
        """Yield what is filed under the text, what it begins with, and what begins with it."""
        for length in self._lengths:
            if length < len(text) + ends and (text[:length], False) in self._filed:
                yield text[:length], False
        if ends:
            if (text, True) in self._filed:
                yield text, True
            return
        for index in range(bisect_left(self._sorted, (text, False)), len(self._sorted)):
            if not self._sorted[index][0].startswith(text):
                return
            yield self._sorted[index]


def _beginnings(condition: Condition) -> tuple[_Beginning, ...]:
    """Give what the values that satisfy a condition begin with; nothing when that can be anything.

    In lower case whatever the claim: a superset is enough.
    """
    matcher = condition.matcher
    found: list[_Beginning] = []
    for item in matcher.items if isinstance(matcher, AnyOf) else (matcher,):
        if isinstance(item, Equals):
            found.append((fold_ascii(item.text), True))
        elif isinstance(item, Glob) and (prefix := literal_prefix(item.pattern)):
            found.append((fold_ascii(prefix), False))
        else:
            return ()
    return tuple(found)


def _bits(places: Sequence[int]) -> int:
    octets = bytearray((max(places, default=-1) >> 3) + 1)
    for place in places:
        octets[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(octets, "little")


def _first_places(found: int) -> Iterator[int]:
    for _ in range(MAX_COMPARED):
        if not found:
            return
        lowest = found & -found
        yield lowest.bit_length() - 1
        found ^= lowest
