"""Answers: JSON bodies and the one table from a refusal to status and error code.

The table follows RFC 6749 §5.2, RFC 8693 §2.2.2 and RFC 7521 §4.1.1; other paths than the
OAuth ones answer with RFC 9457 problems.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from broker.core import vocabulary
from broker.core.decision_link import decision_link
from broker.core.errors import (
    DecisionRefused,
    RateLimited,
    Reason,
    Refusal,
    RequestRefused,
    Unavailable,
)
from broker.core.vocabulary import GRANT_CLIENT_CREDENTIALS, GRANT_JWT_BEARER

Headers = list[tuple[bytes, bytes]]

NO_STORE: Final[Headers] = [(b"cache-control", b"no-store"), (b"pragma", b"no-cache")]
_JSON: Final = (b"content-type", b"application/json")
_PROBLEM: Final = (b"content-type", b"application/problem+json")
_OAUTH_PATH: Final = re.compile(r"(?:/.*)?/(?:oauth|api/v1/auth)/.*", re.DOTALL)

# Refusals of the presented token or of the decision on it: the grant chooses the error code.
_ABOUT_THE_TOKEN: Final = frozenset({
    Reason.MALFORMED_TOKEN, Reason.ALGORITHM_NOT_ALLOWED, Reason.ISSUER_NOT_TRUSTED,
    Reason.ISSUER_DISABLED, Reason.KEY_NOT_FOUND, Reason.SIGNATURE_INVALID, Reason.TOKEN_EXPIRED,
    Reason.TOKEN_NOT_YET_VALID, Reason.TOKEN_LIFETIME_TOO_LONG, Reason.AUDIENCE_MISMATCH,
    Reason.CLAIM_INVALID, Reason.TOKEN_ALREADY_USED, Reason.BLOCKED, Reason.NO_POLICY_MATCHED,
    Reason.DENIED_BY_POLICY, Reason.ACCOUNT_DISABLED, Reason.AMBIGUOUS_ACCOUNT,
})  # fmt: skip

_ERROR_CODES: Final[Mapping[Reason, str]] = {
    Reason.MALFORMED_REQUEST: vocabulary.INVALID_REQUEST,
    Reason.UNSUPPORTED_TOKEN_TYPE: vocabulary.INVALID_REQUEST,
    Reason.GRANT_TYPE_UNSUPPORTED: vocabulary.UNSUPPORTED_GRANT_TYPE,
    Reason.GRANT_NOT_ALLOWED: vocabulary.UNAUTHORIZED_CLIENT,
    Reason.TARGET_UNKNOWN: vocabulary.INVALID_TARGET,
    Reason.TARGET_REQUIRED: vocabulary.INVALID_TARGET,
    Reason.SCOPE_NOT_ALLOWED: vocabulary.INVALID_SCOPE,
    Reason.CLIENT_UNKNOWN_OR_BAD_SECRET: vocabulary.INVALID_CLIENT,
    Reason.RATE_LIMITED: vocabulary.TEMPORARILY_UNAVAILABLE,
    Reason.ISSUER_UNAVAILABLE: vocabulary.TEMPORARILY_UNAVAILABLE,
    Reason.STORE_UNAVAILABLE: vocabulary.TEMPORARILY_UNAVAILABLE,
}


# Built once: `json.dumps` builds an encoder per call when it is given options.
json_text: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


class Answer:
    """A whole response, ready to be sent."""

    decision_id: str | None = None
    """Of the decision behind it, where the answer itself does not tell."""

    def __init__(
        self, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        """`body` is sent as it is."""
        self.status = status
        self.body = body
        self.headers = list(headers)
        if status != HTTPStatus.NO_CONTENT:
            # RFC 9110 §8.6: a 204 has none.
            self.headers.append((b"content-length", str(len(body)).encode()))

    async def __call__(self, scope: Scope, _receive: object, send: Send) -> None:
        """Send it; without the body to a HEAD request."""
        body = b"" if scope["method"] == "HEAD" else self.body
        state = scope.get("state", {})
        # A connection that can send all of it by one call saves what uvicorn does for any answer.
        send_at_once = state.get("send_at_once")
        if send_at_once is not None and body and send_at_once(self, state):
            state["status"] = self.status
            return
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": body})


class HttpRefused(RequestRefused):
    """The request is refused for its method or size, with a status of its own."""

    def __init__(self, status: int, description: str, headers: Headers | None = None) -> None:
        super().__init__(Reason.MALFORMED_REQUEST, description)
        self.status = status
        self.headers = headers or []


@lru_cache(maxsize=256)
def header_lines(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Write headers as HTTP/1.1 does; those of most answers are the same."""
    return b"".join(name + b": " + value + b"\r\n" for name, value in headers)


def json_answer(
    status: int, members: Mapping[str, Any], headers: Sequence[tuple[bytes, bytes]] = ()
) -> Answer:
    """Answer with a JSON object; `headers` come beside the content type."""
    return json_text_answer(status, json_text(members), headers)


def json_text_answer(status: int, text: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
    """Answer with the text of a JSON object, as `json_answer` does with its members."""
    return Answer(status, text.encode(), [_JSON, *headers])


def refusal_answer(refusal: Refusal, grant_type: str | None, issuer: str) -> Answer:
    """Answer a refusal on an OAuth path (RFC 6749 §5.2); `issuer` is the broker's public URL."""
    members: dict[str, Any] = {
        "error": _own_error_code(refusal) or error_code(refusal.reason, grant_type),
        "error_description": _printable(refusal.description),
        "reason": refusal.reason,
        "decision_id": refusal.decision_id,
    }
    members |= _link(refusal, issuer)
    if isinstance(refusal, DecisionRefused):
        if refusal.service_accounts:
            members["service_accounts"] = list(refusal.service_accounts)
        if refusal.conditions:
            members["conditions"] = list(refusal.conditions)
    status, headers = _status(refusal)
    return json_answer(status, members, [*NO_STORE, *headers])


def _link(refusal: Refusal, issuer: str) -> dict[str, str]:
    """Give the page about a decision, as RFC 6749 §5.2 names it."""
    if refusal.decision_id is None:
        return {}
    return {"error_uri": decision_link(issuer, refusal.decision_id)}


def _own_error_code(refusal: Refusal) -> str | None:
    return refusal.error if isinstance(refusal, RequestRefused) else None


def error_code(reason: Reason, grant_type: str | None) -> str:
    """Give the OAuth error code of a reason under a grant."""
    if reason in _ABOUT_THE_TOKEN:
        if grant_type == GRANT_JWT_BEARER:
            return vocabulary.INVALID_GRANT
        if grant_type == GRANT_CLIENT_CREDENTIALS:
            # The token is the client's assertion (RFC 7521 §4.2.1).
            return vocabulary.INVALID_CLIENT
        return vocabulary.INVALID_REQUEST
    return _ERROR_CODES[reason]


def server_error_answer() -> "AnswerByPath":
    """Answer a fault of the broker itself; what it was is in the log, not here."""
    members = {
        "error": "server_error",
        "error_description": "the broker failed; nothing was issued",
    }
    detail = "the broker failed; its log says more beside the id of this request"
    return AnswerByPath(
        json_answer(500, members, NO_STORE), problem_answer(500, "UNAVAILABLE", detail, NO_STORE)
    )


def overloaded_answer() -> "AnswerByPath":
    """Answer while more requests are served than can be."""
    description = "the broker serves too many requests; try again"
    members = {"error": vocabulary.TEMPORARILY_UNAVAILABLE, "error_description": description}
    headers = [*NO_STORE, (b"retry-after", b"1"), (b"connection", b"close")]
    return AnswerByPath(
        json_answer(503, members, headers),
        problem_answer(503, "UNAVAILABLE", description, headers),
    )


def not_found_answer() -> "AnswerByPath":
    """Answer where there is no endpoint."""
    description = "there is no such endpoint"
    members = {"error": vocabulary.INVALID_REQUEST, "error_description": description}
    return AnswerByPath(
        json_answer(404, members, NO_STORE), problem_answer(404, "NOT_FOUND", description)
    )


def rate_limited_problem(refusal: RateLimited, issuer: str) -> "Problem":
    """Answer on `/api/v1` that there were too many requests, with the link of the refusal."""
    retry_after = (b"retry-after", str(refusal.retry_after).encode())
    more = {"decision_id": refusal.decision_id, **_link(refusal, issuer)}
    return problem_answer(429, "RATE_LIMITED", refusal.description, [*NO_STORE, retry_after], more)


def problem_answer(
    status: int,
    code: str,
    detail: str,
    headers: Headers | None = None,
    more: Mapping[str, Any] | None = None,
) -> "Problem":
    """Answer with an RFC 9457 problem, its `code`, what is wrong, and `more` about this case."""
    # Of this type the title is the phrase of the status (§4.2.1).
    members = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return Problem(status, members | {"detail": detail, "code": code} | dict(more or {}), headers)


class Problem(Answer):
    """An answer whose `instance` is known when it is sent: it names the request, by its id."""

    def __init__(
        self, status: int, members: Mapping[str, Any], headers: Headers | None = None
    ) -> None:
        super().__init__(status, json_text(members).encode(), [_PROBLEM, *(headers or [])])
        self._members = members
        self._headers = headers

    def to(self, request_id: str) -> Answer:
        """Give the answer to one request."""
        # A fragment: it is relative to the URL of the request (RFC 9457 §3.1.5), which is not
        # repeated, whatever it holds.
        return Problem(self.status, {**self._members, "instance": f"#{request_id}"}, self._headers)

    async def __call__(self, scope: Scope, receive: object, send: Send) -> None:
        """Send it, with the id of the request."""
        await Answer.__call__(self.to(scope["state"]["request_id"]), scope, receive, send)


@dataclass(frozen=True, slots=True)
class AnswerByPath:
    """An answer in the form of OAuth errors on OAuth paths, a problem on all others."""

    oauth: Answer
    problem: Problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await self.on(scope["path"])(scope, receive, send)

    def on(self, path: str) -> Answer:
        """Give the form that a path has."""
        return self.oauth if _OAUTH_PATH.fullmatch(path) else self.problem


def _status(refusal: Refusal) -> tuple[int, Headers]:
    if isinstance(refusal, HttpRefused):
        return refusal.status, refusal.headers
    if isinstance(refusal, RateLimited):
        return 429, [(b"retry-after", str(refusal.retry_after).encode())]
    if isinstance(refusal, Unavailable):
        return 503, [(b"retry-after", str(refusal.retry_after).encode())]
    if isinstance(refusal, RequestRefused) and refusal.with_basic:
        return 401, [(b"www-authenticate", b'Basic realm="broker"')]
    return 400, []


def _printable(description: str) -> str:
    """Keep to the characters that RFC 6749 §5.2 allows in a description."""
    text = description.replace('"', "'").replace("\\", "/")
    return "".join(character if " " <= character <= "~" else "?" for character in text)
