"""The policies in force, with the accounts that decide now; implements the port `PolicySource`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from broker.core.accounts_in_force import accounts_named, next_end, with_accounts
from broker.core.indexed_policies import IndexedPolicies
from broker.ports import AccountReading, Clock, PolicySource

if TYPE_CHECKING:
    from broker.core.managed_account import AccountOverride, ManagedAccount


class PoliciesWithAccounts:
    """What CI tokens are decided by.

    Files say which policies there are; the store says which of their accounts are switched off, and
    which accounts it has that policies name. It is read at every change of the store, by one query
    for all, so that a decision costs nothing more.
    """

    def __init__(self, policies: PolicySource, accounts: AccountReading, clock: Clock) -> None:
        """Nothing is known of the store before the first `refresh`."""
        self._policies = policies
        self._accounts = accounts
        self._clock = clock
        self._overrides: tuple[AccountOverride, ...] = ()
        self._managed: tuple[ManagedAccount, ...] = ()
        self._files = self._made = policies.current()
        self._good_until: float | None = None
        self._named: tuple[IndexedPolicies, Sequence[str]] | None = None

    async def refresh(self) -> None:
        """Read what the store says now. Raises `Unavailable`."""
        files = self._policies.current()
        overrides = await self._accounts.account_overrides()
        managed = await self._accounts.accounts_of(self._named_by(files))
        self._overrides, self._managed = overrides, managed
        self._make(files)

    def current(self) -> IndexedPolicies:
        """Give the policies that decide from now on.

        A set that has come into force since has raised the epoch, so that `refresh` follows before
        anything is committed by it.
        """
        files = self._policies.current()
        over = self._good_until is not None and self._clock.now() >= self._good_until
        if files is not self._files or over:
            self._make(files)
        return self._made

    def _named_by(self, files: IndexedPolicies) -> Sequence[str]:
        """Name the accounts that are looked for; found once for each set."""
        if self._named is None or self._named[0] is not files:
            self._named = files, sorted(accounts_named(files.policy_set))
        return self._named[1]

    def _make(self, files: IndexedPolicies) -> None:
        now = self._clock.now()
        policy_set = with_accounts(files.policy_set, self._managed, self._overrides, now)
        same = policy_set is files.policy_set
        self._made = files if same else replace(files, policy_set=policy_set)
        self._files = files
        self._good_until = next_end(self._managed, now)
