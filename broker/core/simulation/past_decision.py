"""What an audit event holds of a decision: who asked for what, and what came of it (contract §6).

Only decisions that policies or an account's grants made are simulated; an event of anything else
says why it is passed over.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from broker.core.decision import DecisionRequest
from broker.core.errors import Reason
from broker.core.record import record
from broker.core.recorded_claims import MAX_CLAIM_BYTES, MAX_CLAIMS_BYTES
from broker.core.simulation.outcome import Outcome

NO_ROOM: Final = MAX_CLAIMS_BYTES - MAX_CLAIM_BYTES
"""Bytes of claims from which on another may have been left out for want of room."""

_TEXT: Final = frozenset({str})
_DECIDED: Final = ("token.exchanged", "token.issued", "token.refused", "token.explained")
_BY_POLICIES: Final = frozenset({
    Reason.NO_POLICY_MATCHED, Reason.DENIED_BY_POLICY, Reason.AMBIGUOUS_ACCOUNT,
    Reason.ACCOUNT_DISABLED, Reason.TARGET_UNKNOWN, Reason.TARGET_REQUIRED,
    Reason.SCOPE_NOT_ALLOWED, Reason.GRANT_NOT_ALLOWED,
})  # fmt: skip


_BY_ISSUER: Final = frozenset({
    Reason.AUDIENCE_MISMATCH, Reason.TOKEN_LIFETIME_TOO_LONG, Reason.TOKEN_ALREADY_USED,
})  # fmt: skip
"""What an issuer's entry in the files refuses, of a token that verified."""


class PassedOver(StrEnum):
    """Why an event is no decision that other policies could make otherwise."""

    OTHER = "other"
    """It is about something else: an account, a key, a reload."""

    COUNTED = "counted"
    """It counts refusals of before any signature held, of which nothing else is known."""

    BEFORE_POLICIES = "before_policies"
    """The token verified, but was refused before any policy was asked, and would be again."""

    ALREADY_USED = "already_used"
    """The policies permitted it, but the token had been used before, and may not be again."""

    BLOCKED = "blocked"
    """It was blocked, whatever the policies said."""


class EventRefused(ValueError):
    """An event does not hold what an event of its type holds; the message names the member."""


@record
class PastDecision:
    """A decision on record. `time` is in seconds since the epoch, cut to milliseconds."""

    id: str
    time: float
    policy_set: str | None
    """The version of the set that it was made by."""

    issuer: str | None
    """The name of the issuer in that set; None when an account showed credentials of its own."""

    claims: Mapping[str, Any] | None
    """None when they were erased, or when there was no CI token."""

    asked: tuple[tuple[str, ...], str | None, str | None, int | None]
    """What was asked for: targets, scopes joined by spaces, `client_id` and `expires_in`."""

    outcome: Outcome
    platform: str | None = None
    """The name of the issuer's preset, if it has one."""

    client_id: str | None = None
    """The account that showed credentials of its own."""

    grant_recorded: bool = True
    """Whether the event says what was granted; of an explanation it does not."""

    large: bool = True
    """Whether the claims may be so large that there was no room for another."""

    unless_lifted: PassedOver | None = None
    """What it counts as, unless the issuer's entry would not refuse it any more."""

    observed: tuple[str, ...] = ()
    """The policies that held, but were observed only."""

    would: Outcome | None = None
    """What it would have come to with them, where that is on record."""

    @property
    def request(self) -> DecisionRequest:
        """What was asked for."""
        return _request(*self.asked)


def past_decision(
    event: Mapping[str, Any], *, size: int = MAX_CLAIMS_BYTES
) -> PastDecision | PassedOver:
    """Read an event, given as JSON members; `size` is that of its line in bytes, where known.

    Raises `EventRefused`.
    """
    kind = _text(event, "type")
    if kind not in _DECIDED:
        return PassedOver.OTHER
    if event.get("count") is not None:
        return PassedOver.COUNTED
    reason = _text_or_none(event, "reason")
    policies = _texts(event, "policies")
    of_client = event.get("issuer") is None
    passed = _passed_over(reason, asked=bool(policies) or of_client)
    liftable = reason in _BY_ISSUER and not of_client and isinstance(event.get("claims"), Mapping)
    if passed is not None and not liftable:
        return passed
    erased = event.get("claims") is None and "claims_erased" in event
    claims = _object_or_none(event, "claims")
    requested = _object_or_none(event, "requested")
    if requested is None:
        raise EventRefused("`requested` is no object")
    issuer = _text_or_none(event, "issuer")
    client_id = None
    if issuer is None:
        client_id = _text(event, "service_account")
    elif claims is None and not erased:
        raise EventRefused("`claims` is no object")
    return PastDecision(
        id=_text(event, "id"),
        time=event_time(event),
        policy_set=_text_or_none(event, "policy_set"),
        issuer=issuer,
        claims=claims,
        asked=_asked(requested),
        outcome=_outcome(event, kind, reason, policies),
        platform=_text_or_none(event, "platform"),
        client_id=client_id,
        grant_recorded=kind != "token.explained",
        large=size > NO_ROOM,
        unless_lifted=passed,
        observed=_texts(event, "observed"),
        would=None if event.get("would") is None else _would(event["would"]),
    )


def _passed_over(reason: str | None, *, asked: bool) -> PassedOver | None:
    """Say why a refusal is passed over; `asked` tells whether policies or grants were asked."""
    if reason is None or reason in _BY_POLICIES:
        return None
    if reason == Reason.CLAIM_INVALID and asked:
        # What an instance or a template is filled in with.
        return None
    if reason == Reason.TOKEN_ALREADY_USED:
        return PassedOver.ALREADY_USED
    return PassedOver.BLOCKED if reason == Reason.BLOCKED else PassedOver.BEFORE_POLICIES


def _outcome(
    event: Mapping[str, Any], kind: str, reason: str | None, policies: tuple[str, ...]
) -> Outcome:
    if reason is not None:
        return Outcome(reason, policies)
    if kind == "token.refused":
        raise EventRefused("`reason` is no text")
    if kind == "token.explained":
        return Outcome(None, policies)
    # A client's own event names the account that asked, whose grants decide.
    scopes, ttl = event.get("scopes"), event.get("ttl")
    if not isinstance(scopes, list) or not _are_texts(scopes):
        raise EventRefused("`scopes` is no list of texts")
    if not isinstance(ttl, int) or isinstance(ttl, bool):
        raise EventRefused("`ttl` is no number of seconds")
    return Outcome(
        None,
        policies,
        _text(event, "service_account"),
        _text(event, "sub"),
        _text(event, "audience"),
        tuple(scopes),
        ttl,
    )


def _would(would: object) -> Outcome:
    if not isinstance(would, Mapping):
        raise EventRefused("`would` is no object")
    reason, scopes, ttl = _text_or_none(would, "reason"), would.get("scopes"), would.get("ttl")
    if reason is not None:
        return Outcome(reason, _texts(would, "policies"))
    if not isinstance(scopes, list) or not _are_texts(scopes):
        raise EventRefused("`would.scopes` is no list of texts")
    if not isinstance(ttl, int) or isinstance(ttl, bool):
        raise EventRefused("`would.ttl` is no number of seconds")
    return Outcome(
        None,
        _texts(would, "policies"),
        _text(would, "service_account"),
        _text(would, "sub"),
        _text(would, "audience"),
        tuple(scopes),
        ttl,
    )


def _asked(
    requested: Mapping[str, Any],
) -> tuple[tuple[str, ...], str | None, str | None, int | None]:
    targets = requested.get("audience") or []
    scope, client_id = requested.get("scope"), requested.get("client_id")
    expires_in = requested.get("expires_in")
    if not isinstance(targets, list) or not _are_texts(targets):
        raise EventRefused("`requested.audience` is no list of texts")
    if not isinstance(scope, str | None) or not isinstance(client_id, str | None):
        raise EventRefused("`requested.scope` or `requested.client_id` is no text")
    if not isinstance(expires_in, int | None) or isinstance(expires_in, bool):
        raise EventRefused("`requested.expires_in` is no number of seconds")
    return tuple(targets), scope, client_id, expires_in


@lru_cache(maxsize=1024)
def _request(
    targets: tuple[str, ...], scope: str | None, client_id: str | None, expires_in: int | None
) -> DecisionRequest:
    # Jobs ask for the same all day long.
    scopes = None if scope is None else tuple(scope.split(" "))
    return DecisionRequest(targets, scopes, client_id, expires_in)


def _are_texts(values: list[Any]) -> bool:
    return _TEXT.issuperset(map(type, values))


def _text(event: Mapping[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str):
        raise EventRefused(f"`{name}` is no text")
    return value


def _text_or_none(event: Mapping[str, Any], name: str) -> str | None:
    value = event.get(name)
    if value is not None and not isinstance(value, str):
        raise EventRefused(f"`{name}` is no text")
    return value


def _texts(event: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = event.get(name) or []
    if not isinstance(value, list) or not _are_texts(value):
        raise EventRefused(f"`{name}` is no list of texts")
    return tuple(value)


def _object_or_none(event: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    value = event.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise EventRefused(f"`{name}` is no object")
    return value


def event_time(event: Mapping[str, Any]) -> float:
    """Give the instant of an event, in seconds since the epoch. Raises `EventRefused`."""
    try:
        moment = datetime.fromisoformat(_text(event, "time"))
        instant = moment.timestamp()
    except (ValueError, OverflowError):
        raise EventRefused("`time` is no time") from None
    if moment.tzinfo is None:
        # It would be taken for a time of wherever this runs.
        raise EventRefused("`time` is no time with its offset from UTC")
    return instant
