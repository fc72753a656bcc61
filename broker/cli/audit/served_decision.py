"""A decision that a broker's API has on record, explained by the policy files that are here."""

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from broker.cli.endings import fail
from broker.cli.pipeline.asking import Asked, source_of

if TYPE_CHECKING:
    from broker.core.policy import PolicySet
    from broker.core.recorded_decision import RecordedDecision

_TEXTS: Final = ("id", "type", "time", "outcome")
_TEXTS_OR_NONE: Final = ("reason", "issuer", "policy_set", "service_account", "sub", "audience")
_LATEST: Final = 1 << 53
"""Seconds since the epoch, up to which all readers of JSON agree (RFC 8259 §6)."""

_OBJECTS_OR_NONE: Final = ("claims", "requested")

_SOMETIMES: Final = frozenset({"would", "claims_left_out"})
"""Only events of jobs for which an observed policy held, or which claimed too much, have them."""


def served_event(asked: Asked, decision_id: str) -> dict[str, Any] | None:
    """Ask for the event of a decision; None when the caller may see none. Raises `ClientError`."""
    from broker.client.audit_pages import audit_pages

    for page in audit_pages(source_of(asked), {"decision_id": decision_id}):
        for event in page:
            if not _is_whole(event) or event["id"] != decision_id:
                fail("what the broker answered is no event of this decision, or was changed")
            return event
    return None


def explained_by_files(
    event: dict[str, Any], config: Path | None, *, everything: bool
) -> "RecordedDecision":
    """Explain an event if the policy files here are those of then. Raises `ConfigurationError`."""
    from broker.core.accounts_in_force import accounts_named
    from broker.core.recorded_decision import RecordedDecision, explain_event, needed_policy_set

    version = needed_policy_set(event)
    if version is None:
        return explain_event(event, None)
    policy_set = _set_of(version, config)
    if policy_set is None:
        note = (
            f"the policy files here are not the set {version}, by which it was decided: check out"
            " those of then, and name the broker's configuration with --config"
        )
        return RecordedDecision(None, (note,))
    explained = explain_event(event, policy_set, everything=everything)
    if not accounts_named(policy_set):
        return explained
    note = "what the broker's store says of accounts is not known here"
    return RecordedDecision(explained.explanation, (*explained.notes, note))


def _set_of(version: str, config: Path | None) -> "PolicySet | None":
    from broker.cli.policies.loading import read_sets, settings_for
    from broker.core.errors import ConfigurationError

    # A configuration that is wrong is told; files that do not load are just not those of then.
    settings_for(config)
    try:
        sets = [each.policy_set for each in read_sets(None, config)]
    except ConfigurationError:
        return None
    return next((each for each in sets if each.version == version), None)


def _is_whole(event: dict[str, Any]) -> bool:
    """Tell whether an event holds what one of a broker holds, and fits its own hash."""
    from broker.core.audit import AuditEvent
    from broker.core.audit_chain import LineRefused, link_of_line
    from broker.core.json_text import MAX_DEPTH, JsonRefused, loads_object
    from broker.core.simulation.past_decision import EventRefused, event_time

    try:
        line = json.dumps(event).encode()
        # The claims of a token are no deeper.
        loads_object(line, max_depth=MAX_DEPTH + 1)
        fits = link_of_line(line).fits
        event_time(event)
    except (LineRefused, EventRefused, JsonRefused, RecursionError):
        return False
    requested, would = event.get("requested") or {}, event.get("would") or {}
    return (
        fits
        and isinstance(requested, dict)
        and event.keys() | _SOMETIMES >= {each.name for each in fields(AuditEvent)}
        and all(isinstance(event[name], str) for name in _TEXTS)
        and all(isinstance(event[name], str | None) for name in _TEXTS_OR_NONE)
        and all(isinstance(event[name], dict | None) for name in _OBJECTS_OR_NONE)
        and _is_moment((event["claims"] or {}).get("exp"))
        and _are_texts(requested.get("audience") or [])
        and isinstance(would, dict)
        and _is_moment(would.get("ttl"))
        and isinstance(requested.get("scope"), str | None)
        and isinstance(requested.get("client_id"), str | None)
        and isinstance(requested.get("expires_in"), int | None)
    )


def _is_moment(value: object) -> bool:
    return not isinstance(value, int) or abs(value) <= _LATEST


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
