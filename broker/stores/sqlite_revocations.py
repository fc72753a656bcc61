"""Service tokens that were revoked, until they would have been over."""

import apsw

_REVOKE = "INSERT OR IGNORE INTO revocations (token_id, expires_at) VALUES (?, ?)"
# Each takes more away than it brings, so that what is over does not pile up.
_PRUNE = """
DELETE FROM revocations WHERE token_id IN (
    SELECT token_id FROM revocations WHERE expires_at < ? ORDER BY expires_at LIMIT 8
)
RETURNING expires_at
"""
_FORGET = """
UPDATE state SET revocations_forgotten_until = max(revocations_forgotten_until, ?)
"""
_IS_REVOKED = """
SELECT 1 FROM state WHERE revocations_forgotten_until >= ?2
UNION ALL SELECT 1 FROM revocations WHERE token_id = ?1
"""


def revoke(connection: apsw.Connection, token_id: str, expires_at: int, now: float) -> bool:
    """Note a token, in a transaction that the caller began; tell whether it was not noted before.

    `expires_at` and `now` are in seconds since the epoch.
    """
    ends = [expiry for (expiry,) in connection.execute(_PRUNE, (int(now),))]
    if ends:
        connection.execute(_FORGET, (max(ends),))
    connection.execute(_REVOKE, (token_id, expires_at))
    return connection.changes() == 1


def is_revoked(connection: apsw.Connection, token_id: str, expires_at: int) -> bool:
    """Tell whether a token was revoked, or may have been: one that is over is not remembered.

    Nobody asks about such a one but a broker whose clock was ahead meanwhile, and is back now.
    """
    return connection.execute(_IS_REVOKED, (token_id, expires_at)).fetchone() is not None
