"""What every refused request must show: the right words, one record of it, and nothing else."""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qs

import httpx

from broker.core.vocabulary import GRANT_CLIENT_CREDENTIALS, GRANT_JWT_BEARER
from tests.running_broker import RunningBroker

RECENT: Final = 300
"""More events than one test causes between a request and its assertion."""

TOKEN_PARAMETERS: Final = ("subject_token", "assertion", "client_assertion", "actor_token")

# Status and `error` per reason, as the catalogue of errors has them; None is the presented token,
# where the grant chooses.
_ANSWERS: Final[dict[str, tuple[int, str | None]]] = {
    "malformed_request": (400, "invalid_request"),
    "grant_type_unsupported": (400, "unsupported_grant_type"),
    "unsupported_token_type": (400, "invalid_request"),
    "target_unknown": (400, "invalid_target"),
    "target_required": (400, "invalid_target"),
    "scope_not_allowed": (400, "invalid_scope"),
    "client_unknown_or_bad_secret": (400, "invalid_client"),
    "grant_not_allowed": (400, "unauthorized_client"),
    "rate_limited": (429, "temporarily_unavailable"),
    "issuer_unavailable": (503, "temporarily_unavailable"),
    "store_unavailable": (503, "temporarily_unavailable"),
}
_ENCODED: Final = re.compile(r"[A-Za-z0-9_-]{40,}")
_BEFORE_THE_SIGNATURE_HOLDS: Final = frozenset({
    "malformed_request", "grant_type_unsupported", "unsupported_token_type", "malformed_token",
    "algorithm_not_allowed", "issuer_not_trusted", "issuer_disabled", "issuer_unavailable",
    "key_not_found", "signature_invalid",
})  # fmt: skip


class RecordedLog(logging.Handler):
    """Everything that was logged since it was last cleared, `extra` and tracebacks included."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(f"{self.format(record)} {record.__dict__!r}")

    def clear(self) -> None:
        self._lines.clear()

    def text(self) -> str:
        return "\n".join(self._lines)


LOG: Final = RecordedLog()
"""Filled by the fixture `everything_logged_is_recorded`."""


def assert_refused(
    broker: RunningBroker,
    response: httpx.Response,
    reason: str,
    *,
    recorded_reason: str | None = None,
    status: int | None = None,
) -> dict[str, Any]:
    """Assert that a request was refused for this reason, is on record, and left nothing else.

    `recorded_reason` is what the audit says where the caller is told less; `status` is for those
    refusals whose status is not their reason's (401, 405, 413). Gives the audit event.
    """
    usual_status, error = _ANSWERS.get(reason, (400, None))
    body = response.json()
    assert (response.status_code, body.get("reason")) == (status or usual_status, reason), body
    assert body["error"] == (error or _error_about_the_token(response.request))
    assert "access_token" not in body
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert ("retry-after" in response.headers) == (response.status_code in (429, 503))

    events = broker.events()
    (event,) = (event for event in events if event["id"] == body["decision_id"])
    assert event["reason"] == (recorded_reason or reason)
    assert event["type"] == "token.refused"
    assert event["outcome"] == ("error" if response.status_code == 503 else "refused")
    if reason in _BEFORE_THE_SIGNATURE_HOLDS:
        assert event["count"] >= 1
        assert event["claims"] is event["subject"] is event["issuer"] is None
    request_id = response.headers["x-request-id"]
    assert_nothing_was_minted(events, request_id)
    assert_no_token_shows(response, events)
    return event


def assert_nothing_was_minted(events: list[dict[str, Any]], request_id: str) -> None:
    """Assert that no service token is on record for a request."""
    minted = [each for each in events if each["outcome"] == "success"]

    assert request_id not in [each["request_id"] for each in minted]


def assert_no_token_shows(response: httpx.Response, events: list[dict[str, Any]]) -> None:
    """Assert that no part of a presented token is in the answer, the audit or the log."""
    shown = {
        "the answer": f"{response.headers!r} {response.text}",
        "the audit": json.dumps(events[-RECENT:], ensure_ascii=False),
        "the log": LOG.text(),
    }
    for token in presented_tokens(response.request):
        for place, text in shown.items():
            for piece in (token, *token.split(".")):
                # Shorter ones are no secret, and could stand anywhere by chance.
                if piece == token or _ENCODED.fullmatch(piece):
                    assert len(piece) < 16 or piece not in text, f"a token is in {place}"


def presented_tokens(request: httpx.Request) -> list[str]:
    """Find the tokens in the body of a request, form or JSON."""
    return [
        value
        for name, values in _parameters(request).items()
        if name in TOKEN_PARAMETERS
        for value in values
    ]


def _error_about_the_token(request: httpx.Request) -> str:
    grant_type = _parameters(request).get("grant_type", [])
    if GRANT_JWT_BEARER in grant_type:
        return "invalid_grant"
    return "invalid_client" if GRANT_CLIENT_CREDENTIALS in grant_type else "invalid_request"


def _parameters(request: httpx.Request) -> dict[str, list[str]]:
    text = request.read().decode("utf-8", errors="replace")
    if request.headers.get("content-type") != "application/json":
        return parse_qs(text, errors="replace")
    return dict(_members(text))


def _members(text: str) -> Iterator[tuple[str, list[str]]]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    for name, member in value.items() if isinstance(value, dict) else ():
        yield name, [member] if isinstance(member, str) else []
