"""Counting the refusals that anyone can cause without a valid token (contract §6, row 179).

Before a signature holds, nobody is known, and an event per request would let a flood fill the
disk. Such refusals share one event per minute, address prefix and reason; the event's id is the
`decision_id` that all of them carry, and it is written when its minute ends.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from broker.core.audit import AuditEvent
from broker.core.errors import Reason

WINDOW_SECONDS: Final = 60
MAX_EVENTS_PER_WINDOW: Final = 10_000
_UNAVAILABLE: Final = frozenset({Reason.ISSUER_UNAVAILABLE, Reason.STORE_UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class _Bucket:
    window: int
    prefix: str | None
    reason: Reason


class RefusalCounts:
    """The counted refusals whose minute has not ended, in bounded memory."""

    def __init__(self, draw_id: Callable[[float], str]) -> None:
        """`draw_id` gives a fresh event id for an instant."""
        self._draw_id = draw_id
        self._events: dict[_Bucket, AuditEvent] = {}

    def count(self, reason: Reason, client_address: str | None, now: float) -> str:
        """Count one refusal and give the `decision_id` it carries."""
        bucket = _Bucket(int(now // WINDOW_SECONDS), address_prefix(client_address), reason)
        if bucket not in self._events and len(self._events) >= MAX_EVENTS_PER_WINDOW:
            # A flood from very many addresses: count on without telling them apart.
            bucket = replace(bucket, prefix=None)
        event = self._events.get(bucket)
        if event is None:
            event = AuditEvent(
                id=self._draw_id(now),
                time=now,
                type="token.refused",
                outcome="error" if reason in _UNAVAILABLE else "refused",
                reason=reason,
                client_address=bucket.prefix,
                count=0,
            )
        self._events[bucket] = replace(event, count=(event.count or 0) + 1)
        return event.id

    def take_ended(self, now: float) -> list[AuditEvent]:
        """Hand over the events whose minute has ended, oldest first."""
        current = int(now // WINDOW_SECONDS)
        return self._take([bucket for bucket in self._events if bucket.window < current])

    def take_all(self) -> list[AuditEvent]:
        """Hand over every event, as at a stop."""
        return self._take(list(self._events))

    def _take(self, buckets: list[_Bucket]) -> list[AuditEvent]:
        events = [self._events.pop(bucket) for bucket in buckets]
        return sorted(events, key=_by_time)


@lru_cache(maxsize=4096)
def address_prefix(address: str | None) -> str | None:
    """Give what counts as one caller: an IPv4 address, an IPv6 /64; None when there is none."""
    if address is None:
        return None
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))


def _by_time(event: AuditEvent) -> tuple[float, str]:
    return event.time, event.id
