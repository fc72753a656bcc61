"""The rows of accounts and client secrets, each sealed by whoever writes them."""

import json
from collections.abc import Sequence
from typing import Final

import apsw

from broker.ports import AccountRow, AccountRows, SecretRow
from broker.stores.sqlite_state import raise_epoch, read_epoch

_ACCOUNT: Final = "SELECT client_id, kind, organization, deleted, content FROM accounts"
_SECRET: Final = "SELECT secret_id, client_id, digest, content FROM client_secrets"
_LAST_USED: Final = """
SELECT client_id, used_at FROM last_uses
WHERE used = client_id AND client_id IN (SELECT value FROM json_each(?))
"""
_OF_IDS: Final = """
SELECT client_id, kind, organization, deleted, content FROM accounts
WHERE kind = 'account' AND client_id IN (SELECT value FROM json_each(?))
"""
_GIVEN: Final = """
SELECT client_id FROM accounts
WHERE kind = 'account' AND client_id IN (SELECT value FROM json_each(?))
"""
_PUT_ACCOUNT: Final = """
INSERT INTO accounts VALUES (?, ?, ?, ?, ?)
ON CONFLICT (client_id, kind) DO UPDATE SET organization = excluded.organization,
    deleted = excluded.deleted, content = excluded.content
"""
_PUT_SECRET: Final = """
INSERT INTO client_secrets VALUES (?, ?, ?, ?)
ON CONFLICT (secret_id) DO UPDATE SET digest = excluded.digest, content = excluded.content
"""
_NOTE_USE: Final = """
INSERT INTO last_uses VALUES (?, ?, ?)
ON CONFLICT (client_id, used) DO UPDATE SET used_at = max(used_at, excluded.used_at)
"""


def find(connection: apsw.Connection, client_id: str, kind: str) -> AccountRow | None:
    """Find the row of an account, or what is said beside the files of one that they define."""
    row = connection.execute(
        f"{_ACCOUNT} WHERE client_id = ? AND kind = ?", (client_id, kind)
    ).fetchone()
    return None if row is None else _account(row)


def rows_of(connection: apsw.Connection, client_ids: Sequence[str]) -> list[AccountRow]:
    """Find the rows of some accounts, those of deleted ones included."""
    return [_account(row) for row in connection.execute(_OF_IDS, (json.dumps(client_ids),))]


def page(
    connection: apsw.Connection, kind: str, organization: str | None, after: str, limit: int
) -> list[AccountRow]:
    """List rows that are not deleted, by id; those of one organization only, if given."""
    # The plus keeps SQLite from going by the ids of all accounts to those of one organization.
    within = "kind = :kind"
    if organization is not None:
        within = "+kind = :kind AND organization = :organization"
    rows = connection.execute(
        f"{_ACCOUNT} WHERE {within} AND deleted = 0 AND client_id > :after"
        " ORDER BY client_id LIMIT :limit",
        {"kind": kind, "organization": organization, "after": after, "limit": limit},
    )
    return [_account(row) for row in rows]


def ids_within(connection: apsw.Connection, organization: str) -> list[str]:
    """Name the accounts of an organization, the deleted ones included."""
    rows = connection.execute(
        "SELECT client_id FROM accounts WHERE organization = ? AND kind = 'account'",
        (organization,),
    )
    return [client_id for (client_id,) in rows]


def count(connection: apsw.Connection, organization: str | None) -> int:
    """Count the accounts of an organization, or of none, that are not deleted."""
    query = "SELECT count(*) FROM accounts WHERE kind = 'account' AND deleted = 0"
    [(number,)] = connection.execute(f"{query} AND organization IS ?", (organization,))
    return int(number)


def secret_of_digest(connection: apsw.Connection, digest: bytes) -> SecretRow | None:
    """Find a secret by its digest."""
    row = connection.execute(f"{_SECRET} WHERE digest = ?", (digest,)).fetchone()
    return None if row is None else SecretRow(*row)


def secrets_of(connection: apsw.Connection, client_id: str) -> list[SecretRow]:
    """List the secrets of an account by their ids."""
    rows = connection.execute(f"{_SECRET} WHERE client_id = ? ORDER BY secret_id", (client_id,))
    return [SecretRow(*row) for row in rows]


def last_uses(connection: apsw.Connection, client_id: str) -> dict[str, float]:
    """Tell when an account and its secrets were last used."""
    query = "SELECT used, used_at FROM last_uses WHERE client_id = ?"
    return dict(connection.execute(query, (client_id,)))


def having_secrets(connection: apsw.Connection) -> list[str]:
    """Name the accounts that have secrets, by id."""
    query = "SELECT DISTINCT client_id FROM client_secrets ORDER BY client_id"
    return [str(client_id) for (client_id,) in connection.execute(query)]


def last_used(connection: apsw.Connection, client_ids: Sequence[str]) -> dict[str, float]:
    """Tell when some accounts were last used."""
    return dict(connection.execute(_LAST_USED, (json.dumps(client_ids),)))


def given(connection: apsw.Connection, client_ids: Sequence[str]) -> frozenset[str]:
    """Say which ids have an account, or had one."""
    rows = connection.execute(_GIVEN, (json.dumps(client_ids),))
    return frozenset(str(client_id) for (client_id,) in rows)


def change(connection: apsw.Connection, planned: AccountRows) -> bool:
    """Make a change within a transaction; False, and nothing written, when it no longer fits."""
    given = any(find(connection, each, "account") is not None for each in planned.new_ids)
    if read_epoch(connection) != planned.epoch or given:
        return False
    put(connection, planned.accounts, planned.secrets)
    connection.executemany(
        "DELETE FROM client_secrets WHERE secret_id = ?",
        [(each,) for each in planned.removed_secrets],
    )
    raise_epoch(connection)
    return True


def put(
    connection: apsw.Connection, accounts: tuple[AccountRow, ...], secrets: tuple[SecretRow, ...]
) -> None:
    """Insert rows, or replace those of the same accounts and secrets."""
    connection.executemany(
        _PUT_ACCOUNT,
        [(each.client_id, each.kind, each.organization, each.deleted, each.content)
         for each in accounts],
    )  # fmt: skip
    connection.executemany(
        _PUT_SECRET,
        [(each.secret_id, each.client_id, each.digest, each.content) for each in secrets],
    )


def note_uses(connection: apsw.Connection, uses: dict[str, dict[str, float]]) -> None:
    """Note when secrets were last used, by account and secret."""
    connection.executemany(
        _NOTE_USE,
        [
            (client_id, used, used_at)
            for client_id, of_account in uses.items()
            for used, used_at in of_account.items()
        ],
    )


def every(connection: apsw.Connection) -> tuple[tuple[AccountRow, ...], tuple[SecretRow, ...]]:
    """List all rows, the deleted ones included."""
    return (
        tuple(_account(row) for row in connection.execute(_ACCOUNT)),
        tuple(SecretRow(*row) for row in connection.execute(_SECRET)),
    )


def _account(row: tuple[str, str, str | None, int, bytes]) -> AccountRow:
    client_id, kind, organization, deleted, content = row
    return AccountRow(client_id, kind, organization, bool(deleted), content)
