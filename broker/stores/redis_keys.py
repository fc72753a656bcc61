"""Under which keys a Redis store keeps what (docs/reference/redis.md).

Every key begins with the tag `{broker}` and the version of this layout. The tag keeps all of them
in one place wherever keys are spread over servers.
"""

import hashlib
from typing import Final

SCHEMA_VERSION: Final = 1
"""What this version of the broker writes; a store of a newer one is refused."""

PREFIX: Final = "{broker}:1:"

STATE: Final = PREFIX + "state"
"""Hash: `schema`, `epoch`, the head of the chain (`seq`, `hash`), and what follows below."""

SPENDS: Final = PREFIX + "spends"
"""Sorted set: what was used once, by the second at which it is forgotten."""

REVOCATIONS: Final = PREFIX + "revocations"
"""Sorted set: ids of revoked tokens, by the second at which they are over."""

EVENT: Final = PREFIX + "event:"
"""String, one per event, under its number: hash, claims and covered text, a line each."""

EVENT_IDS: Final = PREFIX + "event_ids"
"""Sorted set in the order of its members: `ID|NUMBER` of every event."""

EVENTS_BY: Final = PREFIX + "events_by:"
"""Sorted sets of the numbers of events, one per fact and value."""

NAMED_SETS: Final = PREFIX + "named_policy_sets"
"""Hash: for each policy set, the number of the last event that names it."""

SIGNING_KEYS: Final = PREFIX + "signing_keys"
"""Hash: `ALGORITHM|GENERATION` to the row as JSON."""

SEALED: Final = PREFIX + "sealed"
"""Hash: name to content."""

POLICY_SETS: Final = PREFIX + "policy_sets"
"""Hash: version to content."""

POLICY_SETS_RAN: Final = PREFIX + "policy_sets_ran"
"""Sorted set: versions by the count of the times that any set came into force."""

POLICY_SETS_KEPT_AT: Final = PREFIX + "policy_sets_kept_at"
"""Hash: version to when it came into force last, in seconds since the epoch."""

SECRETS: Final = PREFIX + "client_secrets"
"""Hash: id to the row as JSON."""

SECRET_DIGESTS: Final = PREFIX + "client_secret_digests"
"""Hash: digest to id."""

HAVING_SECRETS: Final = PREFIX + "having_secrets"
"""Sorted set in the order of its members: the accounts that have secrets."""

LAST_USES: Final = PREFIX + "last_uses:"
"""Sorted sets, one per account: when it and its secrets were last used."""

BLOCKS: Final = PREFIX + "blocks"
"""Hash: id to the block as JSON."""

ISSUERS_OFF: Final = PREFIX + "issuers_off"
"""Set: names of issuers that were switched off."""

PROCESSES: Final = PREFIX + "processes"
"""Sorted set: processes that count requests, by when they were last heard of."""

WRITABLE: Final = PREFIX + "writable"
"""String, for a second: written to see that the store can be written."""

# Fields of STATE.
EPOCH: Final = "epoch"
BEGINNING: Final = "beginning"
PRUNED_TO: Final = "pruned_to"
"""Up to which number events are pruned, though some of them may still lie there."""

CLEANED_TO: Final = "cleaned_to"
FORGOTTEN_UNTIL: Final = "forgotten_until"
REVOCATIONS_FORGOTTEN_UNTIL: Final = "revocations_forgotten_until"
REFUSED_UNTIL: Final = "refused_until"
"""Up to which second of its issue what is for one use is refused: a primary may have lost uses."""

COPYING: Final = "copying"
"""The id of the copy that is being written; then there is no `schema`, and no store yet."""

EPOCH_BEFORE: Final = "epoch_before"
"""The epoch of the store that a copy takes the place of."""

_LONGEST_VALUE: Final = 100


def event(sequence: int) -> str:
    """Name the key of an event."""
    return f"{EVENT}{sequence}"


def events_by(fact: str, value: str) -> str:
    """Name the key of the events that have a value of a fact."""
    shown = value if value.isascii() and len(value) <= _LONGEST_VALUE else _digest(value)
    return f"{EVENTS_BY}{fact}:{shown}"


def batch(batch_id: str) -> str:
    """Name the key that tells for a minute that a batch was written."""
    return f"{PREFIX}batch:{batch_id}"


def accounts(kind: str) -> str:
    """Name the hash of the rows of a kind, `account` or `override`, by id."""
    return f"{PREFIX}{kind}s"


def account_ids(kind: str) -> str:
    """Name the sorted set of the ids of a kind that are not deleted."""
    return f"{PREFIX}{kind}_ids"


def account_ids_of(kind: str, organization: str | None) -> str:
    """Name the same of one organization, or of none."""
    return f"{account_ids(kind)}_of{'' if organization is None else f':{organization}'}"


def every_id_within(organization: str) -> str:
    """Name the set of the accounts of an organization, the deleted ones included."""
    return f"{PREFIX}every_account_of:{organization}"


def secrets_of(client_id: str) -> str:
    """Name the set of the ids of an account's secrets."""
    return f"{PREFIX}client_secrets_of:{client_id}"


def last_uses(client_id: str) -> str:
    """Name the sorted set of when an account and its secrets were last used."""
    return f"{LAST_USES}{client_id}"


def limit(key: bytes) -> str:
    """Name the hash of a window of a rate limit."""
    return f"{PREFIX}limit:{key.hex()}"


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()
