"""Lints about policies that end."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from broker.core.policy_lint.lint import Remark
from broker.core.policy_lint.linted_set import LintedSet

SOON: Final = 14 * 86_400
"""How long before its end a policy is remarked on, seconds."""


def expired(linted: LintedSet) -> Iterator[Remark]:
    """Find policies that no longer hold."""
    for name, policy in linted.policy_set.policies.items():
        if policy.expires_at is not None and linted.now >= policy.expires_at:
            yield Remark(
                ("policies", name, "expires"),
                f"this policy stopped to hold when {_date(policy.expires_at)} began (UTC); delete"
                " it, or write a later date",
            )


def expires_soon(linted: LintedSet) -> Iterator[Remark]:
    """Find policies that will not hold for much longer."""
    for name, policy in linted.policy_set.policies.items():
        if policy.expires_at is not None and 0 < policy.expires_at - linted.now <= SOON:
            yield Remark(
                ("policies", name, "expires"),
                f"this policy stops to hold when {_date(policy.expires_at)} begins (UTC); write a"
                " later date if it is still needed",
            )


def _date(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).date().isoformat()
