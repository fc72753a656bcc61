"""What the audit has on record of one decision, in plain facts: who asked for what, and why.

The explanation by every condition is `broker.core.recorded_decision`'s; these are its headings.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from broker.core.audit_text import asked_for, event_words
from broker.core.claims import text_of
from broker.core.condition_text import shown
from broker.core.durations import duration_text
from broker.core.errors import ERROR, SUCCESS, Reason
from broker.core.explain import Explanation
from broker.core.judged_policy import Candidate
from broker.core.observation_text import observation_text

_SECOND: Final = len("2026-11-25T21:38:50")
_WHY: Final[Mapping[str, str]] = {
    Reason.ISSUER_DISABLED: "the issuer was switched off",
    Reason.TOKEN_EXPIRED: "the token was over",
    Reason.TOKEN_NOT_YET_VALID: "the token was not to be used yet",
    Reason.TOKEN_LIFETIME_TOO_LONG: "the token was to live for longer than its issuer's may",
    Reason.AUDIENCE_MISMATCH: "the token was made for another audience",
    Reason.CLAIM_INVALID: "a claim of the token has no form that the broker takes",
    Reason.TOKEN_ALREADY_USED: "the token had bought another one before",
    Reason.BLOCKED: "what the token stands for was blocked",
    Reason.AMBIGUOUS_ACCOUNT: "policies for several service accounts hold, and none was named",
    Reason.ACCOUNT_DISABLED: "the service account is switched off, or there is none of this name",
    Reason.TARGET_UNKNOWN: "what was asked for is no service that the policies which hold give",
    Reason.TARGET_REQUIRED: "no service was named, and the policies which hold leave not one",
    Reason.SCOPE_NOT_ALLOWED: "a scope that was asked for is not given",
}


def headline(event: Mapping[str, Any]) -> tuple[str, str]:
    """Give how it ended, and the word for it: the reason, or what it is about."""
    outcome, reason = event.get("outcome"), event.get("reason")
    if event.get("type") == "token.explained":
        return "explained", shown(reason or "permit")
    if reason is not None:
        return ("could not be decided" if outcome == ERROR else "refused"), shown(reason)
    return ("permitted" if outcome == SUCCESS else "ended"), shown(event.get("type"))


def facts(
    recorded: Mapping[str, Any], explanation: Explanation | None
) -> Iterator[tuple[str, str]]:
    """Yield what each fact is, and its text, on one line of printable characters."""
    event: Mapping[str, Any] = defaultdict(lambda: None, recorded)
    yield "when", f"{shown(event['time'])[:_SECOND].replace('T', ' ')} UTC"
    if event["subject"] is not None:
        yield "who", f"job {shown(event['subject'])} of {shown(event['issuer'])}"
    elif event["actor"] is not None:
        yield "who", shown(event["actor"])
    if event["count"] is not None:
        requests = "request" if event["count"] == 1 else "requests"
        yield "who", f"{shown(event['count'])} {requests} from {shown(event['client_address'])}"
    if event["requested"] is not None:
        yield "asked for", _asked(event["requested"])
    if event["audience"] is not None:
        ttl = event["ttl"]
        life = duration_text(ttl) if isinstance(ttl, int) else shown(ttl)
        scopes = event_words(event["scopes"]) or "no scopes"
        yield "given", f"{shown(event['sub'])} at {shown(event['audience'])} ({scopes}, {life})"
    if (why := _why(event, explanation)) is not None:
        yield "why", why
    if isinstance(event["observed"], list) and event["observed"]:
        would = event["would"]
        told = would if isinstance(would, Mapping) else None
        yield "observed", observation_text(event["observed"], told)
    for name, label in (
        ("policy_set", "policy set"),
        ("request_id", "request id"),
        ("id", "decision"),
    ):
        if event[name] is not None:
            yield label, shown(event[name])


def nearest(explanation: Explanation) -> Candidate | None:
    """Give the allow policy that came nearest without holding."""
    allows = (each for each in explanation.candidates if each.allows and each.obstacles)
    return next(allows, None)


def _asked(requested: object) -> str:
    members = requested if isinstance(requested, Mapping) else {}
    account, life = members.get("client_id"), members.get("expires_in")
    as_account = "" if account is None else f", as {shown(account)}"
    for_life = "" if life is None else f", for {shown(life)} seconds"
    return f"{asked_for(requested)}{as_account}{for_life}"


def _why(event: Mapping[str, Any], explanation: Explanation | None) -> str | None:
    reason = event["reason"]
    if reason is None:
        policies = event_words(event["policies"])
        return f"permitted by {policies}" if policies else None
    if reason == Reason.DENIED_BY_POLICY:
        return f"forbidden by {event_words(event['policies']) or 'a deny policy'}"
    if reason != Reason.NO_POLICY_MATCHED:
        why = _WHY.get(reason) if isinstance(reason, str) else None
        claims = event["claims"] if isinstance(event["claims"], Mapping) else {}
        if reason == Reason.AUDIENCE_MISMATCH and (audience := text_of(claims.get("aud"))):
            return f"{why}: for {shown(audience)}"
        return why
    near = None if explanation is None else nearest(explanation)
    if near is None:
        return "no policy holds"
    failing = ", ".join(dict.fromkeys(shown(each.claim) for each in near.failing))
    at = f", which fails at {failing}" if failing else ""
    return f"no policy holds; the nearest is {near.policy.name}{at}"
