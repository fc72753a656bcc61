"""Letting go of old events behind a signed beginning, and erasing the claims of others."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from broker.core.audit_chain import Position
from broker.stores import redis_keys
from broker.stores.redis_ledger import INDEXED
from broker.stores.redis_scripts import ERASE, PRUNE
from broker.stores.redis_session import Session
from broker.stores.redis_stored_events import bounds, members_of, read_events

if TYPE_CHECKING:
    from broker.stores.redis_link import Command

CLEANED_AT_ONCE: Final = 200
"""Events of which the traces are removed while commits wait."""


async def prune(session: Session, last: Position, beginning: str) -> bool:
    """Prune the events up to one that has events behind it; tell whether they are pruned.

    They are over from then on; what lies there of them is removed by `clean`.
    """
    link = await session.link()
    pruned_to, newest = await bounds(link)
    if not pruned_to < last.sequence < newest:
        return False
    found = await read_events(link, [last.sequence])
    if [each.hash for each in found] != [last.hash]:
        return False
    # Another process may be pruning as well, and further.
    words = (redis_keys.STATE, last.sequence, beginning)
    [pruned] = await session.do(("EVAL", PRUNE.text, 1, *words))
    return bool(pruned)


async def clean(session: Session) -> int | None:
    """Remove what is left of some pruned events; tell of how many, None when nothing is left."""
    link = await session.link()
    fields = (redis_keys.CLEANED_TO, redis_keys.PRUNED_TO)
    found = await link.call("HMGET", redis_keys.STATE, *fields)
    cleaned_to, pruned_to = (int(each or 0) for each in found)
    if cleaned_to >= pruned_to:
        return None
    end = min(cleaned_to + CLEANED_AT_ONCE, pruned_to)
    sequences = range(cleaned_to + 1, end + 1)
    ids: list[str] = []
    indexes: set[str] = set()
    events = await read_events(link, sequences)
    for event in events:
        members = members_of(event)
        ids.append(f"{members.get('id')}|{event.sequence}")
        for fact in INDEXED:
            value = members.get(fact)
            if isinstance(value, str):
                indexes.add(redis_keys.events_by(fact, value))
    commands: list[Command] = [("UNLINK", *map(redis_keys.event, sequences))]
    if ids:
        commands.append(("ZREM", redis_keys.EVENT_IDS, *ids))
    commands += [("ZREMRANGEBYSCORE", key, "-inf", end) for key in indexes]
    # Last, so that what was begun is done once more.
    commands.append(("HSET", redis_keys.STATE, redis_keys.CLEANED_TO, end))
    await session.do(*commands)
    return len(events)


async def erase(session: Session, sequences: Sequence[int]) -> int:
    """Erase the claims of events; tell of how many."""
    if not sequences:
        return 0
    keys = [redis_keys.event(each) for each in sequences]
    [erased] = await session.do(("EVAL", ERASE.text, len(keys), *keys))
    return int(erased)
