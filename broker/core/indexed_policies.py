"""The policies of a set, ready for decisions: by issuer and effect, found by what a token says."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Final

from broker.core.blocks import NO_BLOCKS, Blocks
from broker.core.claims import Claims
from broker.core.conditions import Effect
from broker.core.holding import policy_holds
from broker.core.neighbours import Neighbours
from broker.core.policy import Grants, Issuer, Mode, Policy, PolicySet
from broker.core.policy_index import PolicyIndex
from broker.core.steps import Steps, finish
from broker.core.token_shape import claim_of_job

_name: Final = attrgetter("name")


@dataclass(frozen=True, slots=True)
class IndexedPolicies:
    """The enforcing policies of a set, by issuer and effect; made once per set."""

    policy_set: PolicySet
    named_claims: Mapping[str, frozenset[str]] = field(repr=False)
    """By issuer, every claim that one of its policies or its own `require` names, or a template of
    a service that one of them reaches."""

    _allow: Mapping[str, PolicyIndex] = field(repr=False)
    _deny: Mapping[str, PolicyIndex] = field(repr=False)
    _observed: Mapping[str, PolicyIndex] = field(repr=False)
    _neighbours: Mapping[str, Neighbours] = field(repr=False)
    blocks: Blocks = field(default=NO_BLOCKS, repr=False, compare=False)
    """Beside the policies, and before them; no part of the set."""

    @classmethod
    def of(cls, policy_set: PolicySet) -> "IndexedPolicies":
        """Index a policy set; observed policies stand apart, they grant and deny nothing."""
        return finish(cls.in_steps(policy_set))

    @classmethod
    def in_steps(cls, policy_set: PolicySet) -> Steps["IndexedPolicies"]:
        """Index a policy set, as `of` does, with a pause after every policy.

        Whoever serves requests meanwhile takes some steps at a time.
        """
        indexes = {
            effect: {name: PolicyIndex(issuer) for name, issuer in policy_set.issuers.items()}
            for effect in Effect
        }
        observed = {name: PolicyIndex(issuer) for name, issuer in policy_set.issuers.items()}
        everywhere = [each for service in policy_set.services.values() for each in service.require]
        by_issuer: dict[str, list[Policy]] = {name: [] for name in policy_set.issuers}
        named = {
            name: {condition.top_level_claim for condition in (*issuer.require, *everywhere)}
            for name, issuer in policy_set.issuers.items()
        }
        shaped = {name for name, each in policy_set.services.items() if each.shape is not None}
        for policy in policy_set.policies.values():
            by_issuer[policy.issuer].append(policy)
            named[policy.issuer].update(each.top_level_claim for each in policy.conditions)
            if shaped:
                named[policy.issuer].update(_in_templates(policy, policy_set))
            filed = indexes[policy.effect] if policy.mode is Mode.ENFORCE else observed
            filed[policy.issuer].file(policy)
            yield
        neighbours = {}
        for name, issuer in policy_set.issuers.items():
            neighbours[name] = yield from Neighbours.in_steps(
                issuer, by_issuer[name], lambda each: granted(each, policy_set)
            )
        frozen = {name: frozenset(claims) for name, claims in named.items()}
        allow, deny = indexes[Effect.ALLOW], indexes[Effect.DENY]
        return cls(policy_set, frozen, allow, deny, observed, neighbours)

    def allowing(self, issuer: Issuer, claims: Claims, now: float) -> list[Policy]:
        """List the allow policies that hold, by name."""
        return _holding(self._allow[issuer.name], issuer, claims, now)

    def denying(self, issuer: Issuer, claims: Claims, now: float) -> list[Policy]:
        """List the deny policies that hold, by name."""
        return _holding(self._deny[issuer.name], issuer, claims, now)

    def observed(self, issuer: Issuer, claims: Claims, now: float) -> list[Policy]:
        """List the policies that are observed only, of both effects, and hold, by name."""
        return _holding(self._observed[issuer.name], issuer, claims, now)

    def without(self, names: Collection[str]) -> "IndexedPolicies":
        """Give the same policies as if those of these names were not there.

        `named_claims` and `neighbours` stay what they are: the index is not made anew.
        """
        policy_set = self.policy_set
        left = {name: each for name, each in policy_set.policies.items() if name not in names}
        issuers = {policy_set.policies[name].issuer for name in names}

        def reduced(indexes: Mapping[str, PolicyIndex]) -> dict[str, PolicyIndex]:
            return {**indexes, **{each: indexes[each].without(names) for each in issuers}}

        return replace(
            self,
            policy_set=replace(policy_set, policies=left, version=""),
            _allow=reduced(self._allow),
            _deny=reduced(self._deny),
            _observed=reduced(self._observed),
        )

    def neighbours(self, issuer: Issuer) -> Neighbours:
        """Give the policies of an issuer, of every mode, as an explanation looks for them."""
        return self._neighbours[issuer.name]


def granted(policy: Policy, policy_set: PolicySet) -> Grants:
    """Give what a policy grants: its own narrowing, else its account's grants.

    What the account does not hold counts in the choice of the target and of the account (attacks
    row 151); it makes no scope available.
    """
    if policy.grants is not None:
        return policy.grants
    account = policy_set.service_accounts.get(policy.service_account or "")
    return account.grants if account else {}


def _in_templates(policy: Policy, policy_set: PolicySet) -> Iterable[str]:
    """Name the claims that templates of the services which a policy reaches are filled in with."""
    platform = policy_set.issuers[policy.issuer].platform
    for service in granted(policy, policy_set):
        shape = policy_set.services[service].shape
        for name in shape.workload if shape else ():
            yield claim_of_job(name, platform)


def _holding(index: PolicyIndex, issuer: Issuer, claims: Claims, now: float) -> list[Policy]:
    candidates = index.candidates(claims)
    if not candidates:
        return []
    holding = [each for each in candidates if policy_holds(each, issuer, claims, now)]
    holding.sort(key=_name)
    return holding
