"""Policies that decided nothing on record, and accounts and services that nobody used."""

from collections.abc import Iterable, Iterator
from typing import Any

from broker.core.audit import rfc3339
from broker.core.broker_service import BROKER_SERVICE
from broker.core.indexed_policies import granted
from broker.core.policy import Mode, Policy, PolicySet
from broker.core.policy_reports.policy_use import Period, PolicyUse
from broker.core.policy_reports.uses import Uses
from broker.core.record import record


@record
class UnusedPolicy:
    """A policy that decided none of the decisions on tokens of its issuer."""

    policy: Policy
    decisions: Period
    """Those on tokens of its issuer."""

    in_force: Period
    """Of these, those that were made while this very entry was surely in force."""

    refused: int
    """Refusals for another reason that name it."""

    explained: int
    """Explanations that name it."""

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON members."""
        return {
            "policy": self.policy.name,
            "effect": self.policy.effect.value,
            "observed": self.policy.mode is Mode.OBSERVE,
            "issuer": self.policy.issuer,
            "decisions": self.decisions.runs,
            "first": _time(self.decisions.first),
            "last": _time(self.decisions.last),
            "in_force": {"decisions": self.in_force.runs, "first": _time(self.in_force.first)},
            "refused": self.refused,
            "explained": self.explained,
        }


@record
class Newer:
    """A policy that no decision names, and that is newer than the record, or was changed since."""

    policy: str
    would_decide: int
    """How many decisions it would have a part in."""

    may_decide: int
    """Of how many that is not known, for want of claims on record."""

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON members."""
        return {
            "policy": self.policy,
            "would_decide": self.would_decide,
            "may_decide": self.may_decide,
        }


@record
class Unused:
    """The report. Names are in order."""

    policies: tuple[UnusedPolicy, ...]
    newer: tuple[Newer, ...]

    without_traffic: tuple[str, ...]
    """Policies of issuers of which no decision is on record: nothing is known of them."""

    accounts: tuple[str, ...]
    services: tuple[str, ...]

    @property
    def has_findings(self) -> bool:
        """Whether there is something to act upon."""
        return bool(self.policies or self.accounts or self.services)

    def as_json(self) -> dict[str, Any]:
        """Give the report as JSON members."""
        return {
            "policies": [each.as_json() for each in self.policies],
            "newer": [each.as_json() for each in self.newer],
            "without_traffic": list(self.without_traffic),
            "accounts": list(self.accounts),
            "services": list(self.services),
        }


def unused(uses: Uses, policy_set: PolicySet, base: PolicySet | None) -> Unused:
    """Find what nobody used; `base` is a set of before, if one is at hand."""
    without_use = [each for _, each in sorted(uses.policies.items()) if not each.runs.runs]
    known = [each for each in without_use if uses.issuers[each.policy.issuer].runs]
    unknown = [each.policy for each in without_use if not uses.issuers[each.policy.issuer].runs]
    accounts, services = _targets_unused(uses, policy_set, unknown)
    return Unused(
        policies=tuple(
            UnusedPolicy(
                each.policy,
                uses.issuers[each.policy.issuer],
                _in_force(each, uses, policy_set, base),
                each.refused,
                each.explained,
            )
            for each in known
            if not (each.newly or each.perhaps)
        ),
        newer=tuple(
            Newer(each.policy.name, each.newly, each.perhaps)
            for each in known
            if each.newly or each.perhaps
        ),
        without_traffic=tuple(each.name for each in unknown),
        accounts=accounts,
        services=services,
    )


def _targets_unused(
    uses: Uses, policy_set: PolicySet, unknown: Iterable[Policy]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the accounts and services that nobody used, and of whose use something would be known.

    `unknown` are policies of which nothing is: whoever has one may act, and get what it grants.
    """
    if not uses.decisions:
        return (), ()
    introspecting = {
        name for service in policy_set.services.values() for name in service.introspection
    }
    enforced = [each for each in unknown if each.mode is Mode.ENFORCE]
    acting = {each.service_account for each in enforced}
    reached = {service for each in enforced for service in granted(each, policy_set)}
    accounts = policy_set.service_accounts.keys() - uses.accounts - introspecting - acting
    services = policy_set.services.keys() - uses.services - {BROKER_SERVICE} - reached
    return tuple(sorted(accounts)), tuple(sorted(services))


def _in_force(use: PolicyUse, uses: Uses, policy_set: PolicySet, base: PolicySet | None) -> Period:
    """Count the decisions of sets that are at hand and have the policy as it is."""
    found = Period()
    for version in set(_versions_with(use.policy, policy_set, base)):
        period = uses.sets.get((version, use.policy.issuer))
        if period is not None and period.first is not None and period.last is not None:
            found.runs += period.runs
            found.first = min(found.first or period.first, period.first)
            found.last = max(found.last or period.last, period.last)
    return found


def _versions_with(policy: Policy, policy_set: PolicySet, base: PolicySet | None) -> Iterator[str]:
    for each in (policy_set, base):
        if each is not None and each.version and each.policies.get(policy.name) == policy:
            yield each.version


def _time(instant: float | None) -> str | None:
    return None if instant is None else rfc3339(instant)
