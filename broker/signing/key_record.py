"""What the audit and the log say of the broker's signing keys: never anything of their secrets."""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from broker.core.audit import AuditEvent
from broker.core.key_line import ScheduledKey
from broker.core.key_schedule import KeyPlan
from broker.core.signing_keys import SigningSchedule

logger = logging.getLogger(__name__)


def events_of(
    plan: KeyPlan,
    *,
    retired: str | None,
    ended: Callable[[ScheduledKey], bool],
    actor: str,
    now: float,
    draw_id: Callable[[float], str],
) -> tuple[AuditEvent, ...]:
    """Record a plan; `retired` is the key that somebody retires, `ended` tells of others.

    That an earlier key ends when another begins is part of that one's event.
    """
    return tuple(
        key_event(kind, key_id, changes, actor=actor, now=now, event_id=draw_id(now))
        for kind, key_id, changes in _entries(plan, retired, ended, now)
    )


def key_event(
    kind: str, target: str, changes: Mapping[str, Any], *, actor: str, now: float, event_id: str
) -> AuditEvent:
    """Record one change of the keys; `now` is in seconds since the epoch."""
    return AuditEvent(
        id=event_id,
        time=now,
        type=kind,
        outcome="success",
        actor=actor,
        target=target,
        changes=changes,
    )


def log_events(events: tuple[AuditEvent, ...]) -> None:
    """Tell operators what was done."""
    for event in events:
        facts = {"actor": event.actor, "key": event.target, "changes": dict(event.changes or {})}
        logger.info(event.type, extra=facts)


_Entry = tuple[str, str, dict[str, Any]]


def _entries(
    plan: KeyPlan, retired: str | None, ended: Callable[[ScheduledKey], bool], now: float
) -> Iterator[_Entry]:
    for key in plan.removed:
        kind = "key.retired" if key.key_id == retired else "key.removed"
        yield kind, str(key.key_id), _facts(key)
    for before, key in plan.changed:
        differing = _differing(before, key.schedule)
        if ended(key):
            yield "key.retired", str(key.key_id), _facts(key) | differing
        elif "sign_from" in differing or before.ended(now):
            yield "key.rotated", str(key.key_id), _facts(key) | differing
    for key in plan.created:
        yield "key.created", str(key.key_id), _facts(key) | key.schedule.times()


def _facts(key: ScheduledKey) -> dict[str, Any]:
    return {"algorithm": key.algorithm, "generation": key.generation}


def _differing(before: SigningSchedule, after: SigningSchedule) -> dict[str, Any]:
    old, new = before.times(), after.times()
    return {name: [old[name], new[name]] for name in old if old[name] != new[name]}
