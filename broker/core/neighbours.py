"""Finding the policies worth explaining to a token, without asking every one of them.

Near are the policies that name a tenant of the token, or its owner, those of the account asked and
those that grant the service asked. A token of a large organisation, or a service that everybody
uses, has very many: of each kind the first by name are taken, so that an explanation costs the same
at 100,000 policies (attacks row 180) and comes out the same whatever the order of the files.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from broker.core.claims import Claims, fold_ascii, text_of
from broker.core.conditions import AnyOf, Condition, Equals, Glob
from broker.core.globs import literal_prefix
from broker.core.policy import Issuer, Mode, Policy
from broker.core.steps import Steps
from broker.core.sub_forms import repository_id_in, tenant_in

MAX_OF_A_KIND: Final = 100
"""How many policies are taken of each kind, and how few are simply all taken."""

_OWNER: Final = "/"
"""Behind the name of a path claim: the key is the first segment of the path alone."""

Key = tuple[str, str]
"""A claim and what it says."""


class Neighbours:
    """The policies of one issuer, of every effect and mode, filed by what they are near to.

    Apart by mode: however many are observed, as many of those that count are found.
    """

    def __init__(self, issuer: Issuer, policies: Iterable[Policy]) -> None:
        """Use `in_steps`."""
        self._tenant_claims = issuer.tenant_claims
        self._paths = issuer.platform.tenant_paths if issuer.platform else frozenset()
        self._all = sorted(policies, key=_name)
        self._modes = {
            mode: _OfOneMode([each for each in self._all if each.mode is mode]) for mode in Mode
        }

    @classmethod
    def in_steps(
        cls,
        issuer: Issuer,
        policies: Iterable[Policy],
        services_of: Callable[[Policy], Iterable[str]],
    ) -> Steps["Neighbours"]:
        """File the policies, pausing after each; `services_of` names the services of one."""
        neighbours = cls(issuer, policies)
        for policy in neighbours._all:
            keys = neighbours._keys_of(policy)
            neighbours._modes[policy.mode].file(policy, services_of(policy), keys)
            yield
        return neighbours

    def every(self) -> list[Policy]:
        """List all policies of the issuer, by name."""
        return self._all

    def near(self, claims: Claims, client_id: str | None, service: str | None) -> list[Policy]:
        """List, each once, the policies near a token that asks for an account and a service."""
        keys = self._keys_near(claims)
        found: list[Policy] = []
        for mode in self._modes.values():
            found += mode.near(keys, client_id, service)
        return found

    def _keys_of(self, policy: Policy) -> set[Key]:
        """Give what a policy is filed under: the tenants that it names, and their owners."""
        keys: set[Key] = set()
        for condition in policy.conditions:
            claim = condition.claim
            if claim in self._tenant_claims:
                keys.update([(claim, _key(text)) for text in condition.named_literals()])
                if claim in self._paths:
                    keys.update([(claim + _OWNER, each) for each in _owners_named(condition)])
            elif claim == "sub":
                keys.update(_keys_of_sub(condition))
        return keys

    def _keys_near(self, claims: Claims) -> set[Key]:
        """Give what the policies near a token are filed under.

        GitLab names the project in which a job of a fork's merge request runs in claims of their
        own; policies of that project are near it as well.
        """
        keys: set[Key] = set()
        for claim in self._tenant_claims:
            for named in (claim, f"job_{claim}"):
                text = text_of(claims.get(named))
                if text is not None:
                    keys.add((claim, _key(text)))
                    if claim in self._paths:
                        keys.add((claim + _OWNER, _key(text.partition("/")[0])))
        return keys


class _OfOneMode:
    """Policies of one mode; `every` are by name."""

    def __init__(self, every: list[Policy]) -> None:
        self._every = every
        self._accounts = sorted(every, key=_account)
        self._by_service: dict[str, list[Policy]] = {}
        self._by_tenant: dict[str, dict[str, list[Policy]]] = defaultdict(dict)

    def file(self, policy: Policy, services: Iterable[str], keys: Iterable[Key]) -> None:
        """File one of the policies under services and tenants."""
        for service in services:
            _file(self._by_service, service, policy)
        for claim, text in keys:
            _file(self._by_tenant[claim], text, policy)

    def near(
        self, keys: Iterable[Key], client_id: str | None, service: str | None
    ) -> Iterable[Policy]:
        """List each once; all of them where they are few."""
        if len(self._every) <= MAX_OF_A_KIND:
            return self._every
        found: dict[str, Policy] = {}
        for kind in self._kinds(keys, client_id, service):
            found.update((policy.name, policy) for policy in islice(kind, MAX_OF_A_KIND))
        return found.values()

    def _kinds(
        self, keys: Iterable[Key], client_id: str | None, service: str | None
    ) -> Iterator[Iterable[Policy]]:
        for claim, text in keys:
            yield self._by_tenant.get(claim, {}).get(text, ())
        if client_id is not None:
            yield self._acting_as(client_id)
        if service is not None:
            yield self._by_service.get(service, ())

    def _acting_as(self, client_id: str) -> Iterator[Policy]:
        first = bisect_left(self._accounts, client_id, key=_account)
        for policy in islice(self._accounts, first, None):
            if policy.service_account != client_id:
                return
            yield policy


def _name(policy: Policy) -> str:
    return policy.name


def _account(policy: Policy) -> str:
    return policy.service_account or ""


def _file(drawers: dict[str, list[Policy]], key: str, policy: Policy) -> None:
    drawer = drawers.get(key)
    if drawer is None:
        drawers[key] = [policy]
    else:
        drawer.append(policy)


def _key(text: str) -> str:
    """Fold case everywhere: too many is no harm. The text itself where it is the same."""
    folded = fold_ascii(text)
    return text if folded == text else folded


def _keys_of_sub(condition: Condition) -> Iterator[Key]:
    for sub in condition.named_literals():
        tenant = tenant_in(sub)
        if tenant is not None:
            yield tenant[0], _key(tenant[1])
        repository_id = repository_id_in(sub)
        if repository_id is not None:
            yield "repository_id", repository_id


def _owners_named(condition: Condition) -> Iterator[str]:
    matcher = condition.matcher
    for item in matcher.items if isinstance(matcher, AnyOf) else (matcher,):
        if isinstance(item, Equals | Glob):
            text = item.text if isinstance(item, Equals) else literal_prefix(item.pattern)
            owner, slash, _ = text.partition("/")
            if slash:
                yield _key(owner)
