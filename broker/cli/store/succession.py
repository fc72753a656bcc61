"""The store that goes on in place of another: the event that says so, and what is refused there."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from broker.core.audit import AuditEvent
    from broker.ports.contents import StoreState

ACTOR: Final = "command line"


def last_issue(now: float, leeway: int) -> int:
    """Give the last second of issue that a token for one use may show that was used before `now`.

    Whoever issued it may be ahead by as much as brokers bear: `leeway` seconds for the issuers of
    CI tokens.
    """
    from broker.core.client_assertion import MAX_SKEW

    return int(now) + max(leeway, MAX_SKEW)


def succession_event(kind: str, target: str) -> "Callable[[StoreState], AuditEvent]":
    """Give what makes the event, whose number follows on the last one of the other store."""
    from broker.core.audit import AuditEvent
    from broker.system import SystemClock, UuidV7Identifiers

    def event(state: "StoreState") -> AuditEvent:
        now = SystemClock().now()
        return AuditEvent(
            id=UuidV7Identifiers().new(now),
            time=now,
            type=kind,
            outcome="success",
            actor=ACTOR,
            target=target,
            changes={"events": state.end.sequence},
        )

    return event
