"""What a caller may give to others: never more than it has itself (contract §5, attacks §9).

Scopes of `broker` are given only by who holds them. A caller that belongs to an organization stays
within it: it sees no account of others, and gives only what services open to its organization.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from broker.core.broker_service import BROKER_SCOPES, BROKER_SERVICE
from broker.core.conditions import Effect
from broker.core.grant_text import scopes_meant
from broker.core.managed_account import admits
from broker.core.policy import Grants, Policy, PolicySet, Service
from broker.core.registry.refused import ChangeRefused, beyond


@dataclass(frozen=True, slots=True)
class Authority:
    """What a caller holds: the scopes of `broker`, and the organization that it is confined to."""

    scopes: frozenset[str]
    organization: str | None = None

    def sees(self, organization: str | None) -> bool:
        """Tell whether what belongs to an organization, or to none, is there for the caller."""
        return self.organization in (None, organization)


OPERATOR = Authority(frozenset(BROKER_SCOPES))
"""Who works on the store itself: nothing is beyond it that exists."""


def check_grants(
    authority: Authority,
    grants: Mapping[str, Iterable[str]],
    organization: str | None,
    policy_set: PolicySet,
) -> None:
    """Check that a caller may give these grants to an account of an organization.

    The grants were read against the catalogue, so that each service is there. Raises
    `ChangeRefused` (`INSUFFICIENT_PERMISSIONS`).
    """
    for name, scopes in grants.items():
        service = policy_set.services[name]
        if name == BROKER_SERVICE:
            _check_held(authority, scopes_meant(scopes, service))
        elif not admits(service, organization):
            raise not_open(name, organization)


def not_open(name: str, organization: str | None) -> ChangeRefused:
    """Refuse a service that accounts of an organization, or of none, may not hold."""
    whose = "without organization" if organization is None else f"of {organization}"
    text = f"service {name[:80]!a} is not open to accounts {whose} (its `organizations`)"
    return beyond(f"grants.{name}", text)


def check_not_stronger(
    authority: Authority, client_id: str, scopes: Grants, policy_set: PolicySet
) -> None:
    """Check that an account can do nothing that the caller could not give (attacks row 141).

    Whoever has a credential of the account, or sets what it may do, could act as it. Raises
    `ChangeRefused` (`INSUFFICIENT_PERMISSIONS`).
    """
    _check_held(authority, scopes.get(BROKER_SERVICE, frozenset()))
    if authority.organization is None:
        return
    for service in _within_reach(client_id, scopes, policy_set):
        if not admits(service, authority.organization):
            text = f"the account reaches '{service.name}', which is not open to your organization"
            raise beyond(None, text)


def check_signs_for(authority: Authority, issuer: str, policy_set: PolicySet) -> None:
    """Check that a caller may set the keys of an issuer: who has them acts as its CI jobs do.

    No policy of the issuer may lead to a scope of `broker` that the caller does not hold. Raises
    `ChangeRefused` (`INSUFFICIENT_PERMISSIONS`).
    """
    reached: set[str] = set()
    for policy in policy_set.policies.values():
        if policy.issuer == issuer and policy.effect is Effect.ALLOW:
            reached |= _reached(policy, policy_set)
    lacking = sorted(reached - authority.scopes)
    if lacking:
        text = f"CI jobs of this issuer may get what you do not hold yourself: {', '.join(lacking)}"
        raise beyond(None, text)


def _reached(policy: Policy, policy_set: PolicySet) -> frozenset[str]:
    """Give the scopes of `broker` that a policy may lead to."""
    account = policy_set.service_accounts.get(policy.service_account or "")
    if policy.grants is None:
        return account.grants.get(BROKER_SERVICE, frozenset()) if account else frozenset()
    granted = policy.grants.get(BROKER_SERVICE, frozenset())
    # What an account of the store holds may change at any time.
    return granted & account.grants.get(BROKER_SERVICE, frozenset()) if account else granted


def _check_held(authority: Authority, scopes: frozenset[str]) -> None:
    lacking = sorted(scopes - authority.scopes)
    if lacking:
        raise beyond(f"grants.{BROKER_SERVICE}", f"you do not hold {', '.join(lacking)} yourself")


def _within_reach(client_id: str, scopes: Grants, policy_set: PolicySet) -> Iterable[Service]:
    """Give the services that an account has scopes of, or whose tokens it may introspect."""
    return (
        service
        for service in policy_set.services.values()
        if service.name in scopes or client_id in service.introspection
    )
