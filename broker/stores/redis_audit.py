"""Reading the audit events in the order of their chain, and the chain as it lies there."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from broker.core.audit import ERASED, rfc3339
from broker.core.audit_chain import Position, StoredEvent
from broker.ports import ChainPage, ClaimsFilter, EventFilter
from broker.stores import redis_keys
from broker.stores.redis_ledger import INDEXED, UNINDEXED
from broker.stores.redis_link import Command, Link
from broker.stores.redis_stored_events import bounds, read_events, unpacked

READ_AT_ONCE: Final = 200
"""Events that are read, and looked at, before others have their turn."""

_FACTS: Final = ("service_account", "sub", "issuer", "type", "outcome", "reason")


def matches(event: StoredEvent, wanted: EventFilter) -> bool:
    """Tell whether an event is wanted; one that was damaged never is."""
    try:
        members: dict[str, Any] = json.loads(event.covered)
    except ValueError:
        return False
    time = str(members.get("time"))
    return (
        all(getattr(wanted, fact) in (None, members.get(fact)) for fact in _FACTS)
        and wanted.decision_id in (None, members.get("id"))
        and (wanted.policy is None or wanted.policy in members.get("policies", ()))
        and (
            wanted.service_accounts is None
            or members.get("service_account") in wanted.service_accounts
        )
        # Times are texts of one form, so that they sort as what they mean.
        and (wanted.since is None or time >= rfc3339(wanted.since))
        and (wanted.until is None or time < rfc3339(wanted.until))
    )


async def find(link: Link, wanted: EventFilter, after: int, limit: int) -> list[StoredEvent]:
    """Find events behind one, oldest first."""
    found: list[StoredEvent] = []
    async for events in _walk(link, wanted, after):
        found += [event for event in events if matches(event, wanted)]
        if len(found) >= limit:
            break
    return found[:limit]


async def with_claims(link: Link, wanted: ClaimsFilter) -> list[int]:
    """Name the events whose claims are meant and not erased yet."""
    plain = EventFilter(decision_id=wanted.decision_id, until=wanted.before)
    return [
        event.sequence
        async for events in _walk(link, plain, 0)
        for event in events
        if event.claims not in (ERASED, "null")
        and matches(event, plain)
        and _has_claim(event, wanted.claim)
    ]


async def by_decision(link: Link, decision_id: str) -> list[int]:
    """Give the numbers of the events with this id."""
    # Behind the sign between them there are digits alone, which come before `}`.
    found = await link.call(
        "ZRANGEBYLEX", redis_keys.EVENT_IDS, f"[{decision_id}|", f"({decision_id}}}"
    )
    pruned_to, _ = await bounds(link)
    named = (each.decode().rpartition("|") for each in found)
    return sorted(
        int(number) for id_, _, number in named if id_ == decision_id and int(number) > pruned_to
    )


async def page(link: Link, after: int, limit: int) -> ChainPage:
    """Read a part of the chain together with its signed beginning, as both were at one moment."""
    events: list[StoredEvent] = []
    seen: int | None = None
    at = after
    while True:
        pruned_to, last = await bounds(link)
        if seen not in (None, pruned_to):
            events, at = [], after
        seen = pruned_to
        at = max(at, pruned_to)
        sequences = range(at + 1, min(at + limit - len(events), last) + 1)
        commands: list[Command] = [
            ("HMGET", redis_keys.STATE, redis_keys.PRUNED_TO, redis_keys.BEGINNING)
        ]
        if sequences:
            commands.append(("MGET", *map(redis_keys.event, sequences)))
        state, *texts = await link.atomically(commands)
        if int(state[0] or 0) != pruned_to:
            continue
        found = zip(sequences, *texts, strict=True) if texts else ()
        events += [unpacked(sequence, text) for sequence, text in found if text is not None]
        at += len(sequences)
        # Where some are not that should be there, what is behind them is read as well.
        if len(events) >= limit or at >= last:
            beginning = None if state[1] is None else state[1].decode(errors="replace")
            return ChainPage(beginning, tuple(events))


async def end(link: Link) -> Position | None:
    """Find the last event."""
    sequence, event_hash = await link.call("HMGET", redis_keys.STATE, "seq", "hash")
    if not int(sequence or 0):
        return None
    return Position(int(sequence), event_hash.decode(errors="replace"))


async def _walk(link: Link, wanted: EventFilter, after: int) -> AsyncIterator[list[StoredEvent]]:
    """Go over the events that may be wanted, oldest first, some at a time."""
    pruned_to, last = await bounds(link)
    begin = max(after, pruned_to)
    if wanted.decision_id is not None:
        found = await by_decision(link, wanted.decision_id)
        yield await read_events(link, [each for each in found if each > begin])
        return
    index = await _shortest_index(link, wanted)
    while begin < last:
        if index is None:
            numbers = list(range(begin + 1, min(begin + READ_AT_ONCE, last) + 1))
        else:
            members = await link.call(
                "ZRANGEBYSCORE", index, f"({begin}", last, "LIMIT", 0, READ_AT_ONCE
            )
            numbers = [int(each) for each in members]
        if not numbers:
            return
        yield await read_events(link, numbers)
        begin = numbers[-1]


async def _shortest_index(link: Link, wanted: EventFilter) -> str | None:
    """Choose the index with the fewest events; None when no indexed fact is asked for."""
    keys = [redis_keys.events_by(fact, value) for fact, value in indexed_facts(wanted).items()]
    if not keys:
        return None
    lengths = await link.calls([("ZCARD", key) for key in keys])
    return min(zip(lengths, keys, strict=True))[1]


def indexed_facts(wanted: EventFilter) -> dict[str, str]:
    """Give the facts that are asked for and that events are found by."""
    asked = {fact: getattr(wanted, fact) for fact in INDEXED}
    return {
        fact: value
        for fact, value in asked.items()
        if value is not None and (fact, value) not in UNINDEXED
    }


def _has_claim(event: StoredEvent, claim: tuple[str, str] | None) -> bool:
    if claim is None:
        return True
    name, value = claim
    try:
        claims: Mapping[str, Any] = json.loads(event.claims)
    except ValueError:
        return False
    return name in claims and _written(claims[name]) == value


def _written(value: object) -> str | None:
    """Give what is compared of a claim: what is no text by how it is written."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, bool):
        return str(int(value))
    return json.dumps(value, separators=(",", ":"))
