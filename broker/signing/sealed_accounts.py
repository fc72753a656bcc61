"""Accounts and secrets under the master key: who writes to the store cannot make one that grants.

Each row is sealed with its table and its name. One that was made elsewhere, changed or moved counts
as absent, and is told in the log (attacks row 183). That a row was put back as it once was, or
taken away, no seal can show.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from broker.core import account_text
from broker.core.managed_account import AccountOverride, ClientSecret, ManagedAccount
from broker.ports import (
    AccountChange,
    AccountPage,
    AccountRow,
    AccountRowReading,
    AccountRows,
    AccountRowStore,
    SecretRow,
)
from broker.signing.sealed_rows import SealedBox

ACCOUNT: Final = "account"
OVERRIDE: Final = "override"

PAGE: Final = 1000
"""Rows that are read at once."""

SLICE: Final = 50
"""Rows that are opened before whoever waits for the event loop has a turn."""

logger = logging.getLogger(__name__)

Kept = TypeVar("Kept")


class SealedAccountsReading:
    """Opens the rows of a store; implements the port `AccountReading`."""

    def __init__(self, rows: AccountRowReading, box: SealedBox) -> None:
        """`box` seals under the master key of the store."""
        self._rows = rows
        self._box = box
        self._told: set[str] = set()
        self._opened_before: dict[str, tuple[AccountRow, ManagedAccount | None]] = {}

    async def account(self, client_id: str) -> ManagedAccount | None:
        """Find an account by its id, a deleted one included. Raises `Unavailable`."""
        row = await self._rows.account_row(client_id, ACCOUNT)
        return None if row is None else self._account(row)

    async def accounts_of(self, client_ids: Sequence[str]) -> tuple[ManagedAccount, ...]:
        """Find some accounts at once, deleted ones included. Raises `Unavailable`.

        Rows that are as they were at the call before are not opened again: there may be thousands,
        and one that has changed.
        """
        rows = await self._rows.account_rows_of(client_ids) if client_ids else []
        before, opened = self._opened_before, 0
        found: dict[str, tuple[AccountRow, ManagedAccount | None]] = {}
        for row in rows:
            known = before.get(row.client_id)
            if known is None or known[0] != row:
                known = row, self._account(row)
                opened += 1
                if opened % SLICE == 0:
                    await asyncio.sleep(0)
            found[row.client_id] = known
        self._opened_before = found
        return tuple(account for _, account in found.values() if account is not None)

    async def accounts(
        self, *, organization: str | None = None, after: str = "", limit: int = 100
    ) -> AccountPage:
        """List accounts that are not deleted, by id. Raises `Unavailable`."""
        rows = await self._rows.account_rows(
            ACCOUNT, organization=organization, after=after, limit=limit + 1
        )
        opened = [self._account(row) for row in rows[:limit]]
        return AccountPage(
            tuple(each for each in opened if each is not None),
            rows[limit - 1].client_id if len(rows) > limit else None,
        )

    async def count_accounts(self, organization: str | None) -> int:
        """Count the accounts of an organization that are not deleted. Raises `Unavailable`."""
        return await self._rows.count_accounts(organization)

    async def account_override(self, client_id: str) -> AccountOverride | None:
        """Find what was said of an account that a policy file defines. Raises `Unavailable`."""
        row = await self._rows.account_row(client_id, OVERRIDE)
        return None if row is None else self._override(row)

    async def account_overrides(self) -> tuple[AccountOverride, ...]:
        """List what was said of accounts that policy files define. Raises `Unavailable`."""
        overrides: list[AccountOverride] = []
        after = ""
        while True:
            rows = await self._rows.account_rows(
                OVERRIDE, organization=None, after=after, limit=PAGE
            )
            opened = map(self._override, rows)
            overrides += [each for each in opened if each is not None]
            if len(rows) < PAGE:
                return tuple(overrides)
            after = rows[-1].client_id

    async def secret_of_digest(self, digest: bytes) -> ClientSecret | None:
        """Find a secret by what is stored of it. Raises `Unavailable`."""
        row = await self._rows.secret_row(digest)
        return None if row is None else self._secret(row)

    async def secrets_of(self, client_id: str) -> tuple[ClientSecret, ...]:
        """List the secrets of an account, the oldest first. Raises `Unavailable`."""
        opened = [self._secret(row) for row in await self._rows.secret_rows(client_id)]
        return tuple(each for each in opened if each is not None)

    async def having_secrets(self) -> list[str]:
        """Name the accounts that have secrets, by id. Raises `Unavailable`."""
        return await self._rows.having_secrets()

    async def last_used(self, client_ids: Sequence[str]) -> dict[str, float]:
        """Tell when some accounts were last used. Raises `Unavailable`."""
        return await self._rows.last_used(client_ids)

    async def last_uses(self, client_id: str) -> dict[str, float]:
        """Tell when each secret was last used, and the account under its id."""
        return await self._rows.last_uses(client_id)

    def _account(self, row: AccountRow) -> ManagedAccount | None:
        account = self._opened(_account_name(row), row.content, account_text.read_account)
        if account is None or _is_of(account, row):
            return account
        self._tell_altered(_account_name(row))
        return None

    def _override(self, row: AccountRow) -> AccountOverride | None:
        override = self._opened(_account_name(row), row.content, account_text.read_override)
        if override is None or override.client_id == row.client_id:
            return override
        self._tell_altered(_account_name(row))
        return None

    def _secret(self, row: SecretRow) -> ClientSecret | None:
        name = _secret_name(row.secret_id)
        secret = self._opened(name, row.content, account_text.read_secret)
        if secret is None or (secret.client_id, secret.digest) == (row.client_id, row.digest):
            return secret
        self._tell_altered(name)
        return None

    def _opened(self, name: str, content: bytes, read: Callable[[bytes], Kept]) -> Kept | None:
        plain = self._box.unseal(name, content)
        if plain is not None:
            # A version to come may have written members that are not known here.
            with contextlib.suppress(ValueError, TypeError, KeyError):
                return read(plain)
        self._tell_altered(name)
        return None

    def _tell_altered(self, name: str) -> None:
        """Alarm once for a row that counts as absent."""
        if name not in self._told:
            self._told.add(name)
            logger.error(
                "the row %s was altered, or made by somebody else; it counts as absent", name
            )


class SealedAccounts(SealedAccountsReading):
    """Seals the rows of a store, too; implements the port `AccountStore`."""

    def __init__(self, rows: AccountRowStore, box: SealedBox) -> None:
        """`box` seals under the master key of the store."""
        super().__init__(rows, box)
        self._writing = rows

    async def change_accounts(self, change: AccountChange) -> bool:
        """Make a change and record its events, or nothing; tell which. Raises `Unavailable`."""
        accounts = [seal_account(self._box, each) for each in change.accounts]
        accounts += [seal_override(self._box, each) for each in change.overrides]
        return await self._writing.change_account_rows(
            AccountRows(
                epoch=change.epoch,
                accounts=tuple(accounts),
                new_ids=change.new_ids,
                secrets=tuple(seal_secret(self._box, each) for each in change.secrets),
                removed_secrets=change.removed_secrets,
                events=change.events,
            )
        )

    async def note_uses(self, uses: dict[str, dict[str, float]]) -> None:
        """Note when secrets were last used. Raises `Unavailable`."""
        await self._writing.note_uses(uses)


def _is_of(account: ManagedAccount, row: AccountRow) -> bool:
    """Tell whether what a row shows beside its seal is what lies under it."""
    return (account.client_id, account.organization, account.deleted_at is not None) == (
        row.client_id,
        row.organization,
        row.deleted,
    )


def seal_account(box: SealedBox, account: ManagedAccount) -> AccountRow:
    """Make the row of an account."""
    plain = account_text.written(account)
    row = AccountRow(
        account.client_id, ACCOUNT, account.organization, account.deleted_at is not None, b""
    )
    return replace(row, content=box.seal(_account_name(row), plain))


def seal_override(box: SealedBox, override: AccountOverride) -> AccountRow:
    """Make the row of what is said of an account that a file defines."""
    row = AccountRow(override.client_id, OVERRIDE, None, deleted=False, content=b"")
    return replace(row, content=box.seal(_account_name(row), account_text.written(override)))


def seal_secret(box: SealedBox, secret: ClientSecret) -> SecretRow:
    """Make the row of a secret."""
    content = box.seal(_secret_name(secret.secret_id), account_text.written(secret))
    return SecretRow(secret.secret_id, secret.client_id, secret.digest, content)


def resealed(
    accounts: tuple[AccountRow, ...],
    secrets: tuple[SecretRow, ...],
    before: SealedBox,
    after: SealedBox,
) -> tuple[tuple[AccountRow, ...], tuple[SecretRow, ...], list[str]]:
    """Put rows under another key; the names of those that do not open stand last."""
    altered: list[str] = []

    def anew(name: str, content: bytes) -> bytes:
        plain = before.unseal(name, content)
        if plain is None:
            altered.append(name)
            return content
        return after.seal(name, plain)

    return (
        tuple(replace(row, content=anew(_account_name(row), row.content)) for row in accounts),
        tuple(
            replace(row, content=anew(_secret_name(row.secret_id), row.content)) for row in secrets
        ),
        altered,
    )


def account_row_opens(box: SealedBox, row: AccountRow) -> bool:
    """Tell whether the row of an account or an override is as it was sealed."""
    plain = box.unseal(_account_name(row), row.content)
    if plain is None or row.kind != ACCOUNT:
        return plain is not None
    return _is_of(account_text.read_account(plain), row)


def secret_row_opens(box: SealedBox, row: SecretRow) -> bool:
    """Tell whether the row of a secret is as it was sealed."""
    plain = box.unseal(_secret_name(row.secret_id), row.content)
    if plain is None:
        return False
    secret = account_text.read_secret(plain)
    return (secret.client_id, secret.digest) == (row.client_id, row.digest)


def _account_name(row: AccountRow) -> str:
    return f"accounts/{row.kind}/{row.client_id}"


def _secret_name(secret_id: str) -> str:
    return f"client_secrets/{secret_id}"
