"""Blocks, the emergency brake (contract §5): what one names gets nothing, whatever policies say.

A block names values: of claims, and of what a decision comes to (the service account, a policy).
All of them must be found for it to hold. Blocks only ever take away, so what cannot be known counts
as found.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from types import MappingProxyType
from typing import Any, Final

from broker.core.claims import Claims, fold_ascii, text_of
from broker.core.platforms import FOLDED_CLAIMS
from broker.core.policy import Issuer

ISSUER: Final = "issuer"
SERVICE_ACCOUNT: Final = "service_account"
POLICY: Final = "policy"

DECIDED: Final = frozenset({SERVICE_ACCOUNT, POLICY})
"""What is known of a token only once it was decided."""

NO_CLAIMS: Final = frozenset({ISSUER, *DECIDED})
"""Names in a block that mean no claim."""

_Facts = Callable[[str], Sequence[str]]
"""Gives the texts that a name has; none for what is not known."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block; times in seconds since the epoch. Without `expires_at` it holds until lifted."""

    block_id: str
    where: Mapping[str, str]
    """By the name of a claim, or one of `NO_CLAIMS`; a service account also by an instance's
    `sub`."""

    reason: str
    created_at: float
    created_by: str
    expires_at: float | None = None

    def holds(self, now: float) -> bool:
        """Tell whether it is not over."""
        return self.expires_at is None or now < self.expires_at


class Blocks:
    """All blocks of a moment, found by what they name."""

    __slots__ = ("_by_names", "_count")

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        """Index the blocks: by the names in them, then by their values."""
        by_names: defaultdict[tuple[str, ...], defaultdict[tuple[str, ...], list[Block]]]
        by_names = defaultdict(lambda: defaultdict(list))
        self._count = 0
        for block in blocks:
            names = tuple(sorted(block.where))
            values = tuple(_folded(name, block.where[name]) for name in names)
            by_names[names][values].append(block)
            self._count += 1
        self._by_names = {names: dict(by_values) for names, by_values in by_names.items()}

    def __len__(self) -> int:
        """Count them."""
        return self._count

    def of_token(self, claims: Claims, issuer: Issuer, now: float) -> Block | None:
        """Find one that holds for a verified token whatever is decided, None when there is none."""
        return self._find(_token(claims, issuer.name), now, decided=False)

    def of_decision(
        self,
        claims: Claims,
        issuer: Issuer,
        account: Sequence[str],
        policies: Sequence[str],
        now: float,
    ) -> Block | None:
        """Find one that holds for what a token comes to.

        `account` is its id and the `sub`, `policies` are those that permit it.
        """
        facts = _token(claims, issuer.name, {SERVICE_ACCOUNT: _accounts(account), POLICY: policies})
        return self._find(facts, now, decided=True)

    def of_account(self, account: Sequence[str], now: float) -> Block | None:
        """Find one that holds for an account by itself, without any CI token."""
        return self._find(_told({SERVICE_ACCOUNT: _accounts(account)}), now, decided=True)

    def of_event(self, event: Mapping[str, Any], now: float) -> Block | None:
        """Find one that holds for a token by the event of its issue, given as JSON members.

        Claims of a CI token that were erased, or too large to be kept, could have been any.
        """
        account = [each for each in (event["service_account"], event["sub"]) if each is not None]
        decided = {SERVICE_ACCOUNT: _accounts(account), POLICY: event["policies"]}
        if event["issuer"] is None:
            return self._find(_told(decided), now, decided=True)
        claims = event["claims"] if isinstance(event["claims"], Mapping) else {}
        token = _token(claims, event["issuer"], decided)
        found = self._find(token, now, decided=True) or self._find(token, now, decided=False)
        if found is not None:
            return found
        if "claims_erased" in event:
            return self._among_unknown(token, now, lambda name: name not in NO_CLAIMS)
        # Claims alone are left out; what has the name of none means something else in a block.
        left_out = frozenset(event.get("claims_left_out", ())) - NO_CLAIMS
        return self._among_unknown(token, now, left_out.__contains__) if left_out else None

    def _among_unknown(
        self, token: _Facts, now: float, unknown: Callable[[str], bool]
    ) -> Block | None:
        for by_values in self._by_names.values():
            for block in (each for blocks in by_values.values() for each in blocks):
                if block.holds(now) and all(
                    unknown(name) or _folded(name, value) in token(name)
                    for name, value in block.where.items()
                ):
                    return block
        return None

    def _find(self, facts: _Facts, now: float, *, decided: bool) -> Block | None:
        for names, by_values in self._by_names.items():
            if decided == DECIDED.isdisjoint(names):
                continue
            for values in _common(by_values, [dict.fromkeys(facts(name)) for name in names]):
                for block in by_values.get(values, ()):
                    if block.holds(now):
                        return block
        return None


NO_BLOCKS: Final = Blocks()


def _common(
    by_values: Mapping[tuple[str, ...], object], facts: Sequence[Collection[str]]
) -> Iterable[tuple[str, ...]]:
    """Give the values that may be both in a block and in a token.

    NOTE: Lists in a token could be combined in more ways than there is time for; of blocks there
    are a few.
    """
    if prod(map(len, facts)) <= len(by_values):
        return product(*facts)
    return (
        values
        for values in by_values
        if all(value in known for value, known in zip(values, facts, strict=True))
    )


def _token(
    claims: Claims, issuer: str, decided: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> _Facts:
    """Say what can be named of a token."""

    def facts(name: str) -> Sequence[str]:
        if name == ISSUER:
            return (issuer,)
        if name in DECIDED:
            return decided.get(name, ())
        claim = claims.get(name)
        values = claim if isinstance(claim, list) else [claim]
        texts = [text for each in values if (text := text_of(each)) is not None]
        return [_folded(name, text) for text in texts]

    return facts


def _told(decided: Mapping[str, Sequence[str]]) -> _Facts:
    """Say what can be named where there is no CI token."""
    return lambda name: decided.get(name, ())


def _folded(name: str, text: str) -> str:
    """Fold what any platform folds; of a platform that does not, a block may hold for more.

    The `sub` of an instance has such values, and ids of accounts are in small letters.
    """
    return fold_ascii(text) if name in FOLDED_CLAIMS or name == SERVICE_ACCOUNT else text


def _accounts(names: Sequence[str]) -> Sequence[str]:
    return [_folded(SERVICE_ACCOUNT, name) for name in names]
