"""How an event lies in a Redis store, and how it is read back."""

from collections.abc import Sequence
from typing import Any

from broker.core.audit_chain import StoredEvent
from broker.stores import redis_keys
from broker.stores.redis_link import Link


def packed(event_hash: str, claims: str, covered: str) -> bytes:
    """Write the texts of an event as one; all are ASCII, and none holds an end of line."""
    return f"{event_hash}\n{claims}\n{covered}".encode()


def unpacked(sequence: int, text: bytes) -> StoredEvent:
    """Read an event back; a text that was damaged may be anything."""
    parts = text.decode(errors="replace").split("\n", 2)
    event_hash, claims, covered = (*parts, "", "")[:3]
    return StoredEvent(sequence, covered, claims, event_hash)


async def read_events(link: Link, sequences: Sequence[int]) -> list[StoredEvent]:
    """Read those of some events that are there, in their order."""
    if not sequences:
        return []
    texts = await link.call("MGET", *map(redis_keys.event, sequences))
    return [
        unpacked(sequence, text)
        for sequence, text in zip(sequences, texts, strict=True)
        if text is not None
    ]


async def bounds(link: Link) -> tuple[int, int]:
    """Give the number up to which events are pruned, and that of the last one."""
    found = await link.call("HMGET", redis_keys.STATE, redis_keys.PRUNED_TO, "seq")
    pruned_to, last = (int(each or 0) for each in found)
    return pruned_to, last


def members_of(event: StoredEvent) -> dict[str, Any]:
    """Give the JSON members of an event; none when its text was damaged."""
    try:
        return event.members()
    except ValueError:
        return {}
