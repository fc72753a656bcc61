"""The policy sets that ran, each kept once under its version."""

from collections.abc import Sequence

import apsw

from broker.ports import KeptPolicySet
from broker.stores import sqlite_accounts
from broker.stores.sqlite_file import transaction
from broker.stores.sqlite_state import raise_epoch

_KEEP = """
INSERT INTO policy_sets (version, ran, kept_at, content)
VALUES (?1, (SELECT coalesce(max(ran), 0) + 1 FROM policy_sets), ?2, ?3)
ON CONFLICT (version) DO UPDATE
SET ran = excluded.ran, kept_at = excluded.kept_at, content = excluded.content
"""
_FIND = "SELECT content FROM policy_sets WHERE version = ?"
_LAST = "SELECT version, content FROM policy_sets ORDER BY ran DESC LIMIT 1"


def keep(
    connection: apsw.Connection, version: str, content: bytes, now: float, new_ids: Sequence[str]
) -> bool:
    """Keep a set as the last that ran, unless one of its new ids was given; tell whether it is."""
    with transaction(connection):
        if new_ids and sqlite_accounts.given(connection, new_ids):
            return False
        before = last(connection)
        connection.execute(_KEEP, (version, now, content))
        if before is None or before.version != version:
            raise_epoch(connection)
    return True


def find(connection: apsw.Connection, version: str) -> bytes | None:
    """Find the content of a set."""
    row = connection.execute(_FIND, (version,)).fetchone()
    return row[0] if row else None


def last(connection: apsw.Connection) -> KeptPolicySet | None:
    """Find the set that came into force last."""
    row = connection.execute(_LAST).fetchone()
    return KeptPolicySet(*row) if row else None
