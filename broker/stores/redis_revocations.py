"""Service tokens: which were issued, and which were revoked, until they would have been over."""

from typing import Any, Final

from broker.stores import redis_keys
from broker.stores.redis_link import Link, Word
from broker.stores.redis_scripts import FORGET, TOKEN
from broker.stores.redis_session import Absent, Batch
from broker.stores.redis_stored_events import members_of, unpacked

# A token's id and that of its event are drawn at one instant and begin with the same milliseconds.
_INSTANT_LENGTH: Final = len("xxxxxxxx-xxxx")
_REVOKED: Final = "token.revoked"
_FORGOTTEN_AT_ONCE: Final = 8
"""More than one change brings, so that what is over does not pile up."""


async def revoke(link: Link, token_id: str, expires_at: int, now: float) -> Batch:
    """Make the batch that notes a token, unless it is noted; forget some that are over."""
    await link.run(
        FORGET,
        [redis_keys.REVOCATIONS, redis_keys.STATE],
        [redis_keys.REVOCATIONS_FORGOTTEN_UNTIL, int(now), _FORGOTTEN_AT_ONCE],
    )
    batch = Batch(absent=[Absent(redis_keys.REVOCATIONS, token_id, in_hash=False)])
    batch.commands.append(("ZADD", redis_keys.REVOCATIONS, expires_at, token_id))
    return batch


async def is_active(link: Link, token_id: str, expires_at: int) -> bool:
    """Tell whether an event names a token that was not revoked.

    One that is over may have been revoked: nobody asks about it but a broker whose clock was ahead
    meanwhile, and is back now.
    """
    revoked, events = await _look_up(link, token_id, expires_at)
    return not revoked and bool(events)


async def event_of(link: Link, token_id: str) -> dict[str, Any] | None:
    """Give the event of a token's issue as JSON members."""
    _, events = await _look_up(link, token_id, 0)
    return next((event for event in events if event["type"] != _REVOKED), None)


async def _look_up(link: Link, token_id: str, expires_at: int) -> tuple[bool, list[dict[str, Any]]]:
    keys = [redis_keys.EVENT_IDS, redis_keys.REVOCATIONS, redis_keys.STATE]
    words: list[Word] = [token_id[:_INSTANT_LENGTH], token_id, expires_at, redis_keys.EVENT]
    revoked, *found = await link.run(TOKEN, keys, words)
    events = [
        members_of(unpacked(int(sequence), text))
        for sequence, text in zip(found[::2], found[1::2], strict=True)
    ]
    return bool(revoked), [event for event in events if event.get("token_id") == token_id]
