"""What every grant reads from a token request, whatever carried it (form or JSON)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from urllib.parse import urlsplit

from broker.core.decision import DecisionRequest, Permit
from broker.core.errors import Reason, RequestRefused
from broker.core.record import record
from broker.core.recorded_claims import RecordedObject
from broker.core.subject_token import ParsedToken
from broker.core.vocabulary import TOKEN_TYPE_ACCESS_TOKEN

Parameters = Mapping[str, Sequence[str]]
"""The values of each parameter; only `audience` and `resource` may have several."""

MAX_SCOPES = 100
MAX_EXPIRES_IN = 10**9
MAX_CLIENT_ID_LENGTH = 255

MAX_ASKED_BYTES = 4096
"""For all targets together, and for the scope: a service token could not hold more. What is asked
for goes into the audit, so it must not be as large as a whole request."""

_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


@record
class Credentials:
    """The client id and secret that a request carries; `with_basic` tells how."""

    client_id: str
    secret: str = field(repr=False)
    with_basic: bool = False


@record
class AssertedCredentials:
    """The client assertion that a request carries, and the `client_id` beside it, if any.

    `token` is None for what no client made itself: a CI token, which only policies can judge.
    """

    assertion: str = field(repr=False)
    token: ParsedToken | None = field(repr=False)
    client_id: str | None


@record
class Caller:
    """Where a request came from, for the audit, and the client's credentials if it has any."""

    request_id: str
    client_address: str | None = None
    credentials: Credentials | AssertedCredentials | None = None
    counted: set[object] = field(default_factory=set, repr=False, compare=False)
    """The limits under which it was counted: a decision made anew counts no second time."""


@record
class ExchangeRequest:
    """A CI token and what is wanted for it."""

    subject_token: str = field(repr=False)
    wanted: DecisionRequest
    caller: Caller
    token_type: str = TOKEN_TYPE_ACCESS_TOKEN
    """What is to be issued (RFC 8693 §3)."""

    def requested(self) -> RecordedObject:
        """Describe what was asked for, as the audit records it."""
        return requested(self.wanted)

    def issues(self, permit: Permit) -> bool:
        """Tell whether tokens of the service are of the type that is asked for.

        Every one may be used as an access token; one for a service with a profile stands for an
        identity as well.
        """
        return self.token_type == TOKEN_TYPE_ACCESS_TOKEN or permit.service.profile is not None


@lru_cache(maxsize=256)
def requested(wanted: DecisionRequest) -> RecordedObject:
    """Describe what is asked for, as the audit records it."""
    # Jobs ask for the same all day long.
    return RecordedObject.of(
        {
            "audience": list(wanted.targets),
            "scope": None if wanted.scopes is None else " ".join(wanted.scopes),
            "client_id": wanted.client_id,
            "expires_in": wanted.expires_in,
        }
    )


@record
class IssuedToken:
    """What a permitted exchange is answered with; `expires_in` in seconds."""

    access_token: str = field(repr=False)
    expires_in: int
    scope: str | None
    service_account: str
    token_id: str
    decision_id: str
    token_type: str = TOKEN_TYPE_ACCESS_TOKEN
    """What it is (RFC 8693 §3), as it was asked for."""


def single(parameters: Parameters, name: str) -> str | None:
    """Give the value of a parameter; an empty one counts as absent (RFC 6749 §3.2)."""
    values = parameters.get(name, ())
    return values[0] or None if values else None


def required(parameters: Parameters, name: str) -> str:
    """Give the value of a parameter that must be there. Raises `RequestRefused`."""
    value = single(parameters, name)
    if value is None:
        raise RequestRefused(Reason.MALFORMED_REQUEST, f"parameter '{name}' is required")
    return value


def read_wanted(parameters: Parameters) -> DecisionRequest:
    """Read target, scope, client_id and expires_in.

    Raises `RequestRefused`: `malformed_request`, `target_unknown` for a `resource` that is no
    absolute URI (RFC 8707 §2), `scope_not_allowed` for a malformed scope or a wildcard, and one of
    them for what is longer than any name can be.
    """
    # Jobs ask for the same all day long.
    return _wanted(
        tuple(dict.fromkeys(parameters.get("audience", ()))),
        tuple(dict.fromkeys(parameters.get("resource", ()))),
        single(parameters, "scope"),
        single(parameters, "client_id"),
        single(parameters, "expires_in"),
    )


@lru_cache(maxsize=256)
def _wanted(
    audiences: tuple[str, ...],
    resources: tuple[str, ...],
    scope: str | None,
    client_id: str | None,
    expires_in: str | None,
) -> DecisionRequest:
    for resource in filter(None, resources):
        _check_resource(resource)
    targets = tuple(dict.fromkeys(filter(None, audiences + resources)))
    if sum(len(target.encode()) for target in targets) > MAX_ASKED_BYTES:
        raise RequestRefused(Reason.TARGET_UNKNOWN, "'audience' and 'resource' are too long")
    return DecisionRequest(
        targets=targets,
        scopes=_read_scopes(scope),
        client_id=_read_client_id(client_id),
        expires_in=_read_expires_in(expires_in),
    )


def _check_resource(resource: str) -> None:
    try:
        parts = urlsplit(resource)
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme or not (parts.netloc or parts.path) or "#" in resource:
        raise RequestRefused(
            Reason.TARGET_UNKNOWN, "'resource' must be an absolute URI without fragment"
        )


def _read_scopes(scope: str | None) -> tuple[str, ...] | None:
    if scope is None:
        return None
    if len(scope.encode()) > MAX_ASKED_BYTES:
        raise RequestRefused(Reason.SCOPE_NOT_ALLOWED, "'scope' is too long")
    scopes = tuple(dict.fromkeys(scope.split(" ")))
    if len(scopes) > MAX_SCOPES or not all(_SCOPE_TOKEN.fullmatch(each) for each in scopes):
        raise RequestRefused(
            Reason.SCOPE_NOT_ALLOWED, "'scope' must be words joined by single spaces"
        )
    if any("*" in each for each in scopes):
        raise RequestRefused(Reason.SCOPE_NOT_ALLOWED, "'scope' must name scopes, not a wildcard")
    return scopes


def _read_client_id(client_id: str | None) -> str | None:
    if client_id is not None and len(client_id) > MAX_CLIENT_ID_LENGTH:
        raise RequestRefused(Reason.MALFORMED_REQUEST, "'client_id' is too long")
    return client_id


def _read_expires_in(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_EXPIRES_IN))):
        raise RequestRefused(Reason.MALFORMED_REQUEST, "'expires_in' must be whole seconds")
    if int(text) == 0:
        raise RequestRefused(Reason.MALFORMED_REQUEST, "'expires_in' must be more than 0")
    return min(int(text), MAX_EXPIRES_IN)
