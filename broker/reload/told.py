"""What one worker tells another about policies, as the members of a JSON object."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from broker.core.errors import Problem, Reason, Unavailable
from broker.core.policy_changes import PolicyChanges
from broker.ports import PolicyFault, Rejected, Reloaded, ReloadOutcome, Unchanged

STAGE = "stage"
"""To the others: make this set ready; its pickle is the one part of the message."""

LOOK = "look"
"""To the others: look at the store."""

FAULT = "fault"
"""To the others: why the policy files are not in force, or that they are."""

RELOAD = "reload"
"""To the leader: read the policy files and put them in force."""


def fault_members(fault: PolicyFault | None) -> dict[str, Any]:
    """Write a fault, or that there is none."""
    if fault is None:
        return {"fault": None}
    members = {"since": fault.since, "count": fault.count, "problems": _written(fault.problems)}
    return {"fault": members}


def fault_from(members: Mapping[str, Any]) -> PolicyFault | None:
    """Read what `fault_members` gave."""
    fault = members["fault"]
    if fault is None:
        return None
    return PolicyFault(fault["since"], _read(fault["problems"]), fault["count"])


def outcome_members(outcome: ReloadOutcome | Unavailable) -> dict[str, Any]:
    """Write what came of a reload."""
    match outcome:
        case Reloaded(changes):
            return {"outcome": "reloaded", "changes": asdict(changes)}
        case Unchanged(version):
            return {"outcome": "unchanged", "version": version}
        case Rejected(version, problems, count):
            problem_members = _written(problems)
            return {
                "outcome": "rejected",
                "version": version,
                "problems": problem_members,
                "count": count,
            }
        case unavailable:
            return {"outcome": "unavailable", "description": unavailable.description}


def outcome_from(members: Mapping[str, Any]) -> ReloadOutcome:
    """Read what `outcome_members` gave. Raises `Unavailable` when that is what came of it."""
    match members["outcome"]:
        case "reloaded":
            changes = members["changes"]
            dropped = tuple(changes["dropped_denies"])
            return Reloaded(PolicyChanges(**{**changes, "dropped_denies": dropped}))
        case "unchanged":
            return Unchanged(members["version"])
        case "rejected":
            return Rejected(members["version"], _read(members["problems"]), members["count"])
        case _:
            raise Unavailable(Reason.STORE_UNAVAILABLE, members["description"])


def _written(problems: tuple[Problem, ...]) -> list[list[str | int]]:
    return [[each.file, each.line, each.column, each.message] for each in problems]


def _read(problems: list[list[Any]]) -> tuple[Problem, ...]:
    return tuple(Problem(*each) for each in problems)
