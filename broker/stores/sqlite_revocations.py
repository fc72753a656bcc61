"""Service tokens: which were issued, and which were revoked, until they would have been over."""

from typing import Any

import apsw

from broker.core.audit import stored_members

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
# A token's id and that of its event are drawn at one instant and begin with the same milliseconds,
# so that the index on the events' ids finds the token as well.
_IS_ACTIVE = """
SELECT 1 FROM events
WHERE body ->> 'id' >= ?1 AND body ->> 'id' < ?1 || 'g' AND body ->> 'token_id' = ?2
    AND NOT EXISTS (SELECT 1 FROM revocations WHERE token_id = ?2)
    AND NOT EXISTS (SELECT 1 FROM state WHERE revocations_forgotten_until >= ?3)
"""
_OF_TOKEN = """
SELECT body, claims, hash FROM events
WHERE body ->> 'id' >= ?1 AND body ->> 'id' < ?1 || 'g' AND body ->> 'token_id' = ?2
    AND body ->> 'type' <> 'token.revoked'
"""
_INSTANT_LENGTH = len("xxxxxxxx-xxxx")


def revoke(connection: apsw.Connection, token_id: str, expires_at: int, now: float) -> bool:
    """Note a token, in a transaction that the caller began; tell whether it was not noted before.

    `expires_at` and `now` are in seconds since the epoch.
    """
    ends = [expiry for (expiry,) in connection.execute(_PRUNE, (int(now),))]
    if ends:
        connection.execute(_FORGET, (max(ends),))
    connection.execute(_REVOKE, (token_id, expires_at))
    return connection.changes() == 1


def is_active(connection: apsw.Connection, token_id: str, expires_at: int) -> bool:
    """Tell whether an event names a token that was not revoked.

    One that is over may have been revoked, which is not remembered: nobody asks about it but a
    broker whose clock was ahead meanwhile, and is back now.
    """
    bindings = (token_id[:_INSTANT_LENGTH], token_id, expires_at)
    return connection.execute(_IS_ACTIVE, bindings).fetchone() is not None


def event_of(connection: apsw.Connection, token_id: str) -> dict[str, Any] | None:
    """Give the event of a token's issue as JSON members."""
    row = connection.execute(_OF_TOKEN, (token_id[:_INSTANT_LENGTH], token_id)).fetchone()
    return None if row is None else stored_members(*row)
