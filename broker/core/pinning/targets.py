"""What there is to pin: policies, and `require` of issuers, that give a tenant by name alone."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

from broker.core.claims import fold_ascii
from broker.core.conditions import Condition, Effect
from broker.core.platforms import Platform
from broker.core.policy import Issuer, Policy, PolicySet, Service
from broker.core.policy_lint.sub import sub_names_ids
from broker.core.record import record

POLICIES: Final = "policies"
ISSUERS: Final = "issuers"
SERVICES: Final = "services"
"""The maps whose entries have conditions."""


class Unpinnable(StrEnum):
    """Why something that gives a tenant by name cannot be pinned by any traffic."""

    PATTERN = "pattern"
    """The name is a pattern, or what it must not be: whom it admits is not written out."""

    SUB = "sub"
    """The name is a part of `sub`, which has no claim of its own for the id."""

    ASKED_OTHERWISE = "asked_otherwise"
    """There is a condition on the id already, which is none on literals."""

    DENY = "deny"
    """One more condition would have a policy deny less."""

    SERVICE = "service"
    """A service requires it of the tokens of all issuers, each of which has ids of its own."""


@record
class Named:
    """One condition that gives a tenant by names."""

    claim: str
    id_claim: str
    names: tuple[str, ...]
    """As they are written, each once."""

    folded: bool
    """Whether ASCII case makes no difference to a name."""

    def key(self, name: str) -> str:
        """Give the form of a name in which names are compared."""
        return fold_ascii(name) if self.folded else name


@record
class Target:
    """An entry of the files that gives a tenant by name alone, or that was pinned before."""

    section: str
    """`policies`, `issuers` or `services`."""

    name: str
    issuer: str
    """The issuer's name; empty for a service."""

    place: str
    """`file:line`, where it is known."""

    pinned: bool = False
    """Whether it is confined to ids already."""

    named: tuple[Named, ...] = ()
    unpinnable: tuple[tuple[str, Unpinnable], ...] = ()
    """Other claims that give a tenant by name, and why nothing can be proposed for each."""


def targets_of(policy_set: PolicySet) -> Iterator[Target]:
    """Find what gives a tenant by name; what has no preset knows no ids and is passed over."""
    for policy in policy_set.policies.values():
        issuer = policy_set.issuers[policy.issuer]
        if issuer.platform is not None:
            found = _of_policy(policy, issuer, issuer.platform)
            if found is not None:
                yield found
    for issuer in policy_set.issuers.values():
        if issuer.platform is not None and issuer.require:
            found = _of_issuer(issuer, issuer.platform)
            if found is not None:
                yield found
    for service in policy_set.services.values():
        platforms = [each.platform for each in policy_set.issuers.values() if each.platform]
        found = _of_service(service, platforms)
        if found is not None:
            yield found


def _of_policy(policy: Policy, issuer: Issuer, platform: Platform) -> Target | None:
    if policy.effect is Effect.DENY:
        names = _names(policy.conditions, platform)
        if not names or _pins(policy.conditions, platform):
            return None
        left = tuple((each.claim, Unpinnable.DENY) for each in names)
        return Target(POLICIES, policy.name, issuer.name, policy.place, unpinnable=left)
    if _pins((*policy.conditions, *issuer.require), platform):
        return Target(POLICIES, policy.name, issuer.name, policy.place, pinned=True)
    named, left = _divided(policy.conditions, platform)
    if not named and not left:
        # The issuer requires a tenant by name, and the policy itself names none.
        return None
    return Target(POLICIES, policy.name, issuer.name, policy.place, named=named, unpinnable=left)


def _of_issuer(issuer: Issuer, platform: Platform) -> Target | None:
    if _pins(issuer.require, platform):
        return Target(ISSUERS, issuer.name, issuer.name, "", pinned=True)
    named, left = _divided(issuer.require, platform)
    if not named and not left:
        return None
    return Target(ISSUERS, issuer.name, issuer.name, "", named=named, unpinnable=left)


def _of_service(service: Service, platforms: Sequence[Platform]) -> Target | None:
    if any(_pins(service.require, platform) for platform in platforms):
        return None
    names = {
        each.claim: None for platform in platforms for each in _names(service.require, platform)
    }
    if not names:
        return None
    left = tuple((claim, Unpinnable.SERVICE) for claim in names)
    return Target(SERVICES, service.name, "", "", unpinnable=left)


def _pins(conditions: Sequence[Condition], platform: Platform) -> bool:
    """Tell whether conditions are confined to immutable ids, as the lint `names-without-ids`."""
    return any(
        (each.claim in platform.immutable_ids and each.literals() is not None)
        or (each.claim == "sub" and sub_names_ids(each))
        for each in conditions
    )


def _names(conditions: Sequence[Condition], platform: Platform) -> list[Condition]:
    """Choose the conditions on claims that name a tenant."""
    return [each for each in conditions if each.claim in (*platform.tenant_names, "sub")]


def _divided(
    conditions: Sequence[Condition], platform: Platform
) -> tuple[tuple[Named, ...], tuple[tuple[str, Unpinnable], ...]]:
    id_of = dict(zip(platform.tenant_names, platform.tenant_ids, strict=True))
    asked = {each.claim for each in conditions}
    named: list[Named] = []
    left: list[tuple[str, Unpinnable]] = []
    for each in _names(conditions, platform):
        literals = each.literals()
        if each.claim == "sub":
            left.append((each.claim, Unpinnable.SUB))
        elif literals is None:
            left.append((each.claim, Unpinnable.PATTERN))
        elif id_of[each.claim] in asked:
            left.append((each.claim, Unpinnable.ASKED_OTHERWISE))
        else:
            by_key = {fold_ascii(text) if each.folded else text: text for text in literals[::-1]}
            names = tuple(text for text in dict.fromkeys(literals) if text in by_key.values())
            named.append(Named(each.claim, id_of[each.claim], names, each.folded))
    return tuple(named), tuple(left)
