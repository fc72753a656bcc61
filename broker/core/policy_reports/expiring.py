"""Policies that end soon or have ended, and what hangs on each alone."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from broker.core.policy import Mode, Policy, PolicySet
from broker.core.policy_reports.dependence import Dependence
from broker.core.record import record
from broker.core.simulation.outcome import Kind


@record
class Expiring:
    """A policy that ends; `depending` is None when no decisions were looked at."""

    policy: Policy
    expires_at: float
    expired: bool
    depending: Dependence | None

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON members."""
        return {
            "policy": self.policy.name,
            "effect": self.policy.effect.value,
            "observed": self.policy.mode is Mode.OBSERVE,
            "expires": datetime.fromtimestamp(self.expires_at, UTC).date().isoformat(),
            "expired": self.expired,
            "owner": self.policy.owner,
            **_counts(self.depending),
        }


@record
class ExpiringReport:
    """The report, the earliest end first; `together` is what hangs on all of them."""

    policies: tuple[Expiring, ...]
    together: Dependence | None

    @property
    def has_findings(self) -> bool:
        """Whether there is something to act upon."""
        return bool(self.policies)

    def as_json(self) -> dict[str, Any]:
        """Give the report as JSON members."""
        return {
            "policies": [each.as_json() for each in self.policies],
            "together": None if self.together is None else _counts(self.together),
        }


def ending_by(policies: Iterable[Policy], now: float, within: int) -> Iterator[Policy]:
    """Yield those that end within so many seconds from now, or have ended."""
    for policy in policies:
        if policy.expires_at is not None and policy.expires_at - now <= within:
            yield policy


def expiring(
    policy_set: PolicySet,
    now: float,
    within: int,
    depending: Mapping[str, Dependence] | None = None,
    together: Dependence | None = None,
) -> ExpiringReport:
    """Report what ends; `depending` is what was found by policy."""
    found = []
    for policy in ending_by(policy_set.policies.values(), now, within):
        expires_at = policy.expires_at or 0.0
        hanging = None if depending is None else depending.get(policy.name)
        found.append(Expiring(policy, expires_at, now >= expires_at, hanging))
    found.sort(key=lambda each: (each.expires_at, each.policy.name))
    return ExpiringReport(tuple(found), together)


def _counts(depending: Dependence | None) -> dict[str, int | None]:
    return {
        kind.value: None if depending is None else depending.kinds[kind].runs
        for kind in (Kind.NEWLY_DENIED, Kind.NEWLY_PERMITTED, Kind.CHANGED)
    }
