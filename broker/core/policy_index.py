"""Finding the policies that may hold for a token without asking every one of them.

Each policy is filed under one literal condition that must hold for it, the most telling one it
has; a glob behind a literal first segment is filed under that segment. What has neither is in a
rest list that is always asked. So a decision costs the same at ten policies and at 100,000.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from broker.core.claims import Claims, fold_ascii, text_of
from broker.core.conditions import Condition, Glob
from broker.core.globs import literal_prefix
from broker.core.policy import Issuer, Policy

Drawer = Mapping[str, list[Policy]]


class PolicyIndex:
    """Policies of one issuer, filed for look-up."""

    def __init__(self, issuer: Issuer, policies: Iterable[Policy] = ()) -> None:
        """File the policies; their order does not matter."""
        self._literals: dict[str, dict[str, list[Policy]]] = defaultdict(lambda: defaultdict(list))
        self._segments: dict[str, dict[str, list[Policy]]] = defaultdict(lambda: defaultdict(list))
        self._rest: list[Policy] = []
        self._rank = {claim: place for place, claim in enumerate(_by_precision(issuer))}
        for policy in policies:
            self.file(policy)

    def file(self, policy: Policy) -> None:
        """File one more policy, which must be of this issuer."""
        rank = self._rank
        plain = [condition for condition in policy.conditions if not condition.is_pointer]
        literal = [condition for condition in plain if condition.literals() is not None]
        if literal:
            best = min(literal, key=lambda each: (rank.get(each.claim, len(rank)), each.claim))
            for text in best.literals() or ():
                self._literals[best.claim][_key(text)].append(policy)
            return
        for condition in plain:
            segment = _first_segment(condition)
            if segment is not None:
                self._segments[condition.claim][segment].append(policy)
                return
        self._rest.append(policy)

    def candidates(self, claims: Claims) -> Iterator[Policy]:
        """Yield, each once, a superset of the policies that hold for these claims."""
        found: dict[str, Policy] = {}
        for claim, drawer in self._literals.items():
            for text in _texts(claims.get(claim)):
                found.update((policy.name, policy) for policy in drawer.get(text, ()))
        for claim, drawer in self._segments.items():
            for text in _texts(claims.get(claim)):
                segment = text.partition("/")[0]
                found.update((policy.name, policy) for policy in drawer.get(segment, ()))
        yield from found.values()
        yield from self._rest


def _by_precision(issuer: Issuer) -> tuple[str, ...]:
    """Order the claims that identify by how few policies share one value of them."""
    if issuer.platform is None:
        return (*issuer.tenant, "sub")
    ids, names = issuer.platform.tenant_ids, issuer.platform.tenant_names
    # Repository or project before owner or namespace, by id or by name.
    return (ids[0], names[0], "sub", *ids[1:], *names[1:])


def _texts(value: object) -> Iterator[str]:
    elements = value if isinstance(value, list) else [value]
    for element in elements:
        text = text_of(element)
        if text is not None:
            yield _key(text)


def _key(text: str) -> str:
    """Fold case in every drawer: a superset is enough, the condition itself decides."""
    return fold_ascii(text)


def _first_segment(condition: Condition) -> str | None:
    if not isinstance(condition.matcher, Glob):
        return None
    segment, slash, _ = literal_prefix(condition.matcher.pattern).partition("/")
    return _key(segment) if slash and segment else None
