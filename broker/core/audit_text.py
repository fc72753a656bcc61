"""An audit event as one line for people: when, what, who, for whom, by which policy.

What a token says is shown with every character printable, and never begins a line (rows 58, 173).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from broker.core.condition_text import shown
from broker.core.durations import duration_text

_DATE_AND_TIME: Final = len("2026-11-25T21:38:50")

_ISSUED: Final = ("token.exchanged", "token.issued")
_OF_TOKENS: Final = (*_ISSUED, "token.refused")


def event_line(event: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    """Write an event, given as JSON members, without the line feed.

    Also an event that was edited is shown, whatever is in it.
    """
    fields = defaultdict(lambda: None, event)
    time = shown(fields["time"])[:_DATE_AND_TIME].replace("T", " ")
    good, bad = ("[ok]", "[no]") if ascii_only else ("✓", "✗")
    sign = good if fields["outcome"] == "success" else bad
    text = f"{time}  {sign} {', '.join(_parts(fields))}  {shown(fields['id'])}"
    return text.encode("ascii", "backslashreplace").decode() if ascii_only else text


def _parts(event: Mapping[str, Any]) -> Iterator[str]:
    yield _what(event)
    if event["type"] in _OF_TOKENS and event["actor"] is not None:
        # A client's own credentials got the token, or were not enough.
        account = f" of {shown(event['service_account'])}" if event["sub"] is None else ""
        yield f"{shown(event['actor'])}{account}"
    if event["subject"] is not None:
        yield f"job {shown(event['subject'])} of {shown(event['issuer'])}"
    if event["outcome"] != "success" and event["requested"] is not None:
        yield f"asked for {asked_for(event['requested'])}"
    if event["policies"]:
        yield f"by {event_words(event['policies'])}"
    if event["count"] is not None and event["client_address"] is not None:
        yield f"from {shown(event['client_address'])}"


def _what(event: Mapping[str, Any]) -> str:
    kind, reason = event["type"], event["reason"]
    if kind in _ISSUED:
        ttl = event["ttl"]
        life = duration_text(ttl) if isinstance(ttl, int) else shown(ttl)
        scopes = event_words(event["scopes"]) or "no scopes"
        return f"{shown(event['sub'])} at {shown(event['audience'])} ({scopes}, {life})"
    if kind == "token.refused":
        times = "" if event["count"] is None else f" {shown(event['count'])} times"
        return f"refused{times}: {shown(reason)}"
    if kind == "token.explained":
        return f"explained: {shown(reason or 'permit')}"
    target = "" if event["target"] is None else f" {shown(event['target'])}"
    account = event["service_account"]
    whose = "" if account in (None, event["target"]) else f" of {shown(account)}"
    actor = "" if event["actor"] is None else f" by {shown(event['actor'])}"
    return f"{shown(kind)}{target}{whose}{actor}"


def asked_for(requested: object) -> str:
    """Write what a request asked for: the services, and the scopes in brackets."""
    members = requested if isinstance(requested, Mapping) else {}
    scope = members.get("scope")
    audience = event_words(members.get("audience")) or "any service"
    return audience if scope is None else f"{audience} ({shown(scope)})"


def event_words(value: object) -> str:
    """Write a list of an event as words; empty when it is no list."""
    return " ".join(map(shown, value)) if isinstance(value, list) else ""
