"""Service tokens: which were issued, and which were revoked, until they would have been over."""

import json
from collections.abc import Sequence
from typing import Any, Final

from broker.stores import redis_keys
from broker.stores.redis_batch import Absent, Batch
from broker.stores.redis_link import LOST, Link, LinkRefused, Word
from broker.stores.redis_scripts import FORGET, TOKEN
from broker.stores.redis_stored_events import members_of, unpacked

# A token's id and that of its event are drawn at one instant and begin with the same milliseconds.
_INSTANT_LENGTH: Final = len("xxxxxxxx-xxxx")
_REVOKED: Final = "token.revoked"
_KEYS: Final = (redis_keys.EVENT_IDS, redis_keys.REVOCATIONS, redis_keys.STATE)
_NO_STORE: Final = -1
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


async def are_active(link: Link, tokens: Sequence[tuple[str, int]]) -> list[bool]:
    """Tell of some tokens, each with its end, whether an event names it and it was not revoked.

    One that is over may have been revoked: nobody asks about it but a broker whose clock was ahead
    meanwhile, and is back now.
    """
    words = [(*_words(token_id, expires_at), 1) for token_id, expires_at in tokens]
    answers = await link.run_each(TOKEN, _KEYS, words)
    if any(revoked == _NO_STORE for revoked, *_ in answers):
        raise LinkRefused(LOST)
    return [
        not revoked and any(_names(token_id, covered) for covered in found[1::2])
        for (token_id, _), (revoked, *found) in zip(tokens, answers, strict=True)
    ]


async def event_of(link: Link, token_id: str) -> dict[str, Any] | None:
    """Give the event of a token's issue as JSON members."""
    revoked, *found = await link.run(TOKEN, _KEYS, [*_words(token_id, 0), 0])
    if revoked == _NO_STORE:
        raise LinkRefused(LOST)
    events = [
        members_of(unpacked(int(sequence), text))
        for sequence, text in zip(found[::2], found[1::2], strict=True)
    ]
    of_token = (event for event in events if event.get("token_id") == token_id)
    return next((event for event in of_token if event["type"] != _REVOKED), None)


def _words(token_id: str, expires_at: int) -> tuple[Word, ...]:
    return token_id[:_INSTANT_LENGTH], token_id, expires_at, redis_keys.EVENT


def _names(token_id: str, covered: bytes) -> bool:
    """Tell whether an event names a token itself, and not in one of its members."""
    try:
        members = json.loads(covered)
    except ValueError:
        # The text was damaged.
        return False
    return isinstance(members, dict) and members.get("token_id") == token_id
