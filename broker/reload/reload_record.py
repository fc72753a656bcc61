"""What the audit and the log say about a reload; of the files no more than messages quote."""

import logging
from typing import Final

from broker.core.audit import AuditEvent
from broker.core.policy_changes import PolicyChanges
from broker.reload.reading import Refused

LOGGED_PROBLEMS: Final = 20
AUDITED_PROBLEMS: Final = 5
AUDITED_LENGTH: Final = 500
LISTED_NAMES: Final = 100

logger = logging.getLogger(__name__)


def reloaded(
    event_id: str, now: float, actor: str, changes: PolicyChanges, *, forced: bool
) -> AuditEvent:
    """Record that another set is in force; `now` is in seconds since the epoch."""
    return AuditEvent(
        id=event_id,
        time=now,
        type="policy.reloaded",
        outcome="success",
        policy_set=changes.new_version,
        actor=actor,
        target="policies",
        changes={
            "version": [changes.old_version or None, changes.new_version],
            **changes.counts,
            "dropped_denies": list(changes.dropped_denies[:LISTED_NAMES]),
            "forced": forced,
        },
    )


def rejected(event_id: str, now: float, actor: str, version: str, refused: Refused) -> AuditEvent:
    """Record that the set `version` stays in force, and why."""
    first = [str(problem)[:AUDITED_LENGTH] for problem in refused.problems[:AUDITED_PROBLEMS]]
    return AuditEvent(
        id=event_id,
        time=now,
        type="policy.rejected",
        outcome="refused",
        policy_set=version,
        actor=actor,
        target="policies",
        changes={"problems": refused.count, "first": first},
    )


def log_reloaded(actor: str, changes: PolicyChanges) -> None:
    """Tell operators; a dropped deny policy is worth a warning."""
    policies = changes.counts["policies"]
    logger.info(
        "policy set %s is in force",
        changes.new_version,
        extra={"actor": actor, "before": changes.old_version or None, "policies": policies},
    )
    for name in changes.dropped_denies[:LISTED_NAMES]:
        logger.warning("the deny policy '%s' is gone", name, extra={"actor": actor})


def log_rejected(actor: str, version: str, refused: Refused) -> None:
    """Tell operators, one line for each of the first problems."""
    for problem in refused.problems[:LOGGED_PROBLEMS]:
        logger.error("policy files: %s", problem)
    logger.error(
        "the policy files are not in force: %d problems; policy set %s goes on deciding",
        refused.count,
        version,
        extra={"actor": actor},
    )
