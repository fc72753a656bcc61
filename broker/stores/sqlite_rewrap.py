"""One transaction that puts all rows under another master key."""

from collections.abc import Callable

import apsw

from broker.ports import RowsUnderMasterKey
from broker.stores import sqlite_accounts, sqlite_signing_keys
from broker.stores.sqlite_state import raise_epoch


def rewrap(
    connection: apsw.Connection, anew: Callable[[RowsUnderMasterKey], RowsUnderMasterKey]
) -> None:
    """Replace the rows within a transaction. Raises what `anew` raises, and `apsw.Error`."""
    accounts, secrets = sqlite_accounts.every(connection)
    rows = anew(
        RowsUnderMasterKey(
            signing_keys=tuple(sqlite_signing_keys.read(connection)),
            sealed=dict(connection.execute("SELECT name, content FROM sealed")),
            policy_sets=dict(connection.execute("SELECT version, content FROM policy_sets")),
            accounts=accounts,
            secrets=secrets,
        )
    )
    sqlite_accounts.put(connection, rows.accounts, rows.secrets)
    for row in rows.signing_keys:
        sqlite_signing_keys.put(connection, row)
    connection.executemany(
        "INSERT INTO sealed VALUES (?, ?) ON CONFLICT DO UPDATE SET content = excluded.content",
        rows.sealed.items(),
    )
    connection.executemany(
        "UPDATE policy_sets SET content = ?2 WHERE version = ?1", rows.policy_sets.items()
    )
    raise_epoch(connection)
