"""Accounts and client secrets as this process holds them: each is read once for an epoch.

Every change of one raises the epoch in the store, and every commit compares it. So what is held can
never grant anything that the store has taken back.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from broker.core.managed_account import AccountOverride, ClientSecret, ManagedAccount
from broker.ports import AccountFinding

MAX_HELD: Final = 10_000
"""Of accounts, of overrides and of secrets; the one that was found longest ago goes first."""

Kept = TypeVar("Kept")
Key = TypeVar("Key", str, bytes)


class HeldAccounts:
    """Finds accounts and secrets, most often without the store; implements `AccountSource`."""

    def __init__(self, finding: AccountFinding) -> None:
        self._accounts = _Held[str, ManagedAccount](finding.account, keep_absent=True)
        self._overrides = _Held[str, AccountOverride](finding.account_override, keep_absent=True)
        # What is guessed must not push out what is used.
        self._secrets = _Held[bytes, ClientSecret](finding.secret_of_digest, keep_absent=False)

    async def refresh(self) -> None:
        """Forget everything: the store has changed."""
        for held in (self._accounts, self._overrides, self._secrets):
            held.forget()

    async def account(self, client_id: str) -> ManagedAccount | None:
        """Find an account, a deleted one included. Raises `Unavailable`."""
        return await self._accounts.find(client_id)

    async def override(self, client_id: str) -> AccountOverride | None:
        """Find what was said of an account that a policy file defines. Raises `Unavailable`."""
        return await self._overrides.find(client_id)

    async def secret_of_digest(self, digest: bytes) -> ClientSecret | None:
        """Find a secret by what is stored of it. Raises `Unavailable`."""
        return await self._secrets.find(digest)


class _Held(Generic[Key, Kept]):
    """What was read of one kind since it was last forgotten."""

    def __init__(self, read: Callable[[Key], Awaitable[Kept | None]], *, keep_absent: bool) -> None:
        self._read: Callable[[Key], Awaitable[Kept | None]] = read
        self._keep_absent = keep_absent
        self._found: dict[Key, Kept | None] = {}

    async def find(self, key: Key) -> Kept | None:
        if key in self._found:
            return self._found[key]
        # What is read while everything is being forgotten may be of before.
        found = self._found
        kept = await self._read(key)
        if kept is not None or self._keep_absent:
            found[key] = kept
            if len(found) > MAX_HELD:
                del found[next(iter(found))]
        return kept

    def forget(self) -> None:
        self._found = {}
