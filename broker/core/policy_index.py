"""Finding the policies that may hold for a token without asking every one of them.

Each policy is filed under what one of its conditions must find in the token, the most telling one
it has: a literal, or what stands before the first wildcard of a glob. A drawer that many share is
divided by their next condition, and so on. So a decision costs the same at ten policies and at
100,000; only those that nothing of this kind tells apart are asked one by one.
"""

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from itertools import islice
from typing import Final, TypeAlias

from broker.core.claims import Claims, fold_ascii, text_of
from broker.core.conditions import AnyOf, Condition, Equals, Glob, Matcher
from broker.core.globs import literal_prefix
from broker.core.policy import Issuer, Policy

MAX_UNDIVIDED: Final = 8
"""How many policies may share a drawer that could be divided."""

_MAX_COPIES: Final = 16
"""In how many drawers a policy may stand beyond those of its most telling condition."""

_WHOLE: Final = sys.maxsize
"""The length of a beginning that is the whole text."""

Beginning: TypeAlias = tuple[str, int, str]
"""A claim, how many characters of it count, and what these are."""


class _Level:
    """Policies filed by what their conditions of one precedence must find."""

    __slots__ = ("depth", "drawers", "rest")

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.drawers: dict[str, dict[int, dict[str, list[Policy] | _Level]]] = {}
        """By claim, length and text."""

        self.rest: list[Policy] = []
        """Those that have no such condition: they are always asked."""


class PolicyIndex:
    """Policies of one issuer, filed for look-up."""

    def __init__(self, issuer: Issuer, policies: Iterable[Policy] = ()) -> None:
        """File the policies; their order does not matter."""
        self._rank = {claim: place for place, claim in enumerate(_by_precision(issuer))}
        self._top = _Level(0)
        self._left_out: Collection[str] = ()
        for policy in policies:
            self.file(policy)

    def file(self, policy: Policy) -> None:
        """File one more policy, which must be of this issuer."""
        self._file(policy, self._top)

    def candidates(self, claims: Claims) -> Collection[Policy]:
        """Give, each once, a superset of the policies that hold for these claims."""
        top = self._top
        if not top.drawers and not top.rest:
            return ()
        found: dict[str, Policy] = {}
        _collect(top, claims, {}, found)
        if self._left_out:
            return [each for name, each in found.items() if name not in self._left_out]
        return found.values()

    def without(self, names: Collection[str]) -> "PolicyIndex":
        """Give what finds the same policies in the same drawers, but for those of these names."""
        reduced = copy(self)
        reduced._left_out = frozenset(names).union(self._left_out)  # noqa: SLF001 - its own kind
        return reduced

    def _file(self, policy: Policy, level: _Level) -> None:
        beginnings = next(islice(_precedence(policy, self._rank), level.depth, None), None)
        if beginnings is None:
            level.rest.append(policy)
            return
        for claim, length, text in beginnings:
            drawers = level.drawers.setdefault(claim, {}).setdefault(length, {})
            drawer = drawers.get(text)
            if drawer is None:
                drawers[text] = [policy]
            elif isinstance(drawer, _Level):
                self._file(policy, drawer)
            else:
                drawer.append(policy)
                if len(drawer) > MAX_UNDIVIDED:
                    drawers[text] = self._divided(drawer, level.depth + 1)

    def _divided(self, policies: Iterable[Policy], depth: int) -> _Level:
        level = _Level(depth)
        for policy in policies:
            self._file(policy, level)
        return level


def _collect(
    level: _Level, claims: Claims, texts: dict[str, tuple[str, ...]], found: dict[str, Policy]
) -> None:
    """Add to `found` what may hold; `texts` keeps how each claim reads."""
    for policy in level.rest:
        found[policy.name] = policy
    for claim, by_length in level.drawers.items():
        values = texts.get(claim)
        if values is None:
            values = texts[claim] = tuple(_texts(claims.get(claim)))
        for text in values:
            for length, drawers in by_length.items():
                drawer = drawers.get(text[:length])
                if isinstance(drawer, _Level):
                    _collect(drawer, claims, texts, found)
                elif drawer is not None:
                    for policy in drawer:
                        found[policy.name] = policy


def _by_precision(issuer: Issuer) -> tuple[str, ...]:
    """Order the claims that identify by how few policies share one value of them."""
    if issuer.platform is None:
        return (*issuer.tenant, "sub")
    ids, names = issuer.platform.tenant_ids, issuer.platform.tenant_names
    # Repository or project before owner or namespace, by id or by name.
    return (ids[0], names[0], "sub", *ids[1:], *names[1:])


def _precedence(policy: Policy, rank: Mapping[str, int]) -> Iterator[Sequence[Beginning]]:
    """Yield what the conditions of a policy must find one of, the most telling condition first."""
    others = len(rank)
    copies = 0
    for condition in sorted(
        policy.conditions, key=lambda each: (rank.get(each.claim, others), each.claim)
    ):
        beginnings = _beginnings(condition)
        # Long lists inside of long lists would fill the memory.
        if beginnings and copies * len(beginnings) <= _MAX_COPIES:
            yield beginnings
            copies = copies * len(beginnings) or 1


def _beginnings(condition: Condition) -> Sequence[Beginning]:
    """Give what a condition must find one of; nothing when that cannot be told."""
    if condition.is_pointer:
        return ()
    claim, matcher = condition.claim, condition.matcher
    if not isinstance(matcher, AnyOf):
        beginning = _beginning(claim, matcher)
        return () if beginning is None else (beginning,)
    beginnings = {_beginning(claim, item) for item in matcher.items}
    return () if None in beginnings else [each for each in beginnings if each is not None]


def _beginning(claim: str, matcher: Matcher) -> Beginning | None:
    if isinstance(matcher, Equals):
        return claim, _WHOLE, _key(matcher.text)
    if isinstance(matcher, Glob):
        prefix = _key(literal_prefix(matcher.pattern))
        return (claim, len(prefix), prefix) if prefix else None
    return None


def _texts(value: object) -> Iterator[str]:
    elements = value if isinstance(value, list) else [value]
    for element in elements:
        text = text_of(element)
        if text is not None:
            yield _key(text)


def _key(text: str) -> str:
    """Fold case in every drawer: a superset is enough, the condition itself decides."""
    return fold_ascii(text)
