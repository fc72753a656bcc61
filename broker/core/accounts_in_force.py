"""The accounts that policies decide by: of the files, and those made while the broker runs."""

from collections import ChainMap
from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from broker.core.managed_account import AccountOverride, ManagedAccount
from broker.core.policy import PolicySet, ServiceAccount


def accounts_named(policy_set: PolicySet) -> frozenset[str]:
    """Name the accounts that policies name and no file defines."""
    named = {policy.service_account for policy in policy_set.policies.values()}
    return frozenset(
        each for each in named if each is not None and each not in policy_set.service_accounts
    )


def with_accounts(
    policy_set: PolicySet,
    managed: Iterable[ManagedAccount],
    overrides: Iterable[AccountOverride],
    now: float,
) -> PolicySet:
    """Give a policy set with these accounts among its own; the very same when nothing differs.

    An account that is deleted is missing, one that is switched off or over is there and disabled.
    What a file defines is never replaced, only switched off.
    """
    in_files = policy_set.service_accounts
    changed: dict[str, ServiceAccount] = {}
    for override in overrides:
        account = in_files.get(override.client_id)
        if account is not None and not override.enabled:
            changed[account.client_id] = replace(account, enabled=False)
    for row in managed:
        if row.client_id not in in_files and row.deleted_at is None:
            resolved = row.resolved(policy_set)
            changed[row.client_id] = replace(resolved, enabled=row.live(now))
    if not changed:
        return policy_set
    # Not copied: there may be a hundred thousand, and a change every second.
    accounts = ChainMap(changed, cast("dict[str, ServiceAccount]", in_files))
    return replace(policy_set, service_accounts=accounts)


def next_end(managed: Iterable[ManagedAccount], now: float) -> float | None:
    """Tell when the next of some accounts is over by itself; None when none will be."""
    ends = [each.expires_at for each in managed if each.expires_at and each.expires_at > now]
    return min(ends, default=None)
