"""The event that tells of erased claims: how many, and by which rule, but not whose."""

from broker.core.audit import AuditEvent, rfc3339
from broker.ports import ClaimsFilter

TYPE = "audit.claims_erased"


def erased(event_id: str, now: float, wanted: ClaimsFilter, events: int) -> AuditEvent:
    """Record that the claims of so many events are erased; `now` is in seconds since the epoch.

    A claim is named without its value: that is what somebody wants forgotten.
    """
    return AuditEvent(
        id=event_id,
        time=now,
        type=TYPE,
        outcome="success",
        actor="command line",
        target="claims" if wanted.decision_id is None else wanted.decision_id,
        changes={
            "events": events,
            "before": None if wanted.before is None else rfc3339(wanted.before),
            "claim": None if wanted.claim is None else wanted.claim[0],
        },
    )
