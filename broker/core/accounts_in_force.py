"""The accounts that policies decide by: of the files, and those made while the broker runs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from broker.core.managed_account import AccountOverride, ManagedAccount
from broker.core.policy import PolicySet, ServiceAccount


class AccountsInForce(Mapping[str, ServiceAccount]):
    """The accounts of a policy set, and those of the store, each resolved when it is asked for.

    There may be a hundred thousand of the files, thousands of the store, and a change every second:
    neither are copied.
    """

    __slots__ = ("_managed", "_now", "_policy_set", "_resolved")

    def __init__(
        self,
        policy_set: PolicySet,
        managed: Mapping[str, ManagedAccount],
        switched_off: Mapping[str, ServiceAccount],
        now: float,
    ) -> None:
        """`managed` has no id of the files, `switched_off` what takes the place of theirs."""
        self._policy_set = policy_set
        self._managed = managed
        self._now = now
        self._resolved = dict(switched_off)

    def __getitem__(self, client_id: str) -> ServiceAccount:
        """Give an account; disabled when it is switched off or over."""
        found = self._resolved.get(client_id)
        if found is None:
            found = self._policy_set.service_accounts.get(client_id)
        if found is None:
            row = self._managed[client_id]
            found = replace(row.resolved(self._policy_set), enabled=row.live(self._now))
            self._resolved[client_id] = found
        return found

    def __iter__(self) -> Iterator[str]:
        """Name all, those of the files first."""
        yield from self._policy_set.service_accounts
        yield from self._managed

    def __len__(self) -> int:
        """Count all."""
        return len(self._policy_set.service_accounts) + len(self._managed)


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
    switched_off = {
        account.client_id: replace(account, enabled=False)
        for each in overrides
        if not each.enabled and (account := in_files.get(each.client_id)) is not None
    }
    made = {
        row.client_id: row
        for row in managed
        if row.deleted_at is None and row.client_id not in in_files
    }
    if not switched_off and not made:
        return policy_set
    accounts = AccountsInForce(policy_set, made, switched_off, now)
    return replace(policy_set, service_accounts=accounts)


def next_end(managed: Iterable[ManagedAccount], now: float) -> float | None:
    """Tell when the next of some accounts is over by itself; None when none will be."""
    ends = [each.expires_at for each in managed if each.expires_at and each.expires_at > now]
    return min(ends, default=None)
