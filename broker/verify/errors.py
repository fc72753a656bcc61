"""Why a token does not count, and how a service says so (RFC 6750 §3).

TokenError
├── NoToken                 401: there is none
├── MalformedCredentials    400: there are several, or none that can be read
├── TokenRefused            401: it is none that counts here and now
├── InsufficientScope       403: it counts, and does not permit this
└── NotVerifiable           503: nobody can tell now
"""

from enum import StrEnum
from http import HTTPStatus
from typing import ClassVar


class Reason(StrEnum):
    """What is wrong with a token, in words that do not change."""

    MALFORMED_TOKEN = "malformed_token"
    WRONG_TYPE = "wrong_type"
    """Another `typ`, or no service token."""

    ALGORITHM_NOT_ALLOWED = "algorithm_not_allowed"
    KEY_NOT_FOUND = "key_not_found"
    SIGNATURE_INVALID = "signature_invalid"
    ISSUER_MISMATCH = "issuer_mismatch"
    AUDIENCE_MISMATCH = "audience_mismatch"
    TOKEN_EXPIRED = "token_expired"
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"
    CLAIM_INVALID = "claim_invalid"
    REVOKED = "revoked"
    """The broker says that it counts no more, or to nobody who asks like this."""


class TokenError(Exception):
    """A request is not served for its token. The message holds nothing of the token."""

    status: ClassVar[int] = HTTPStatus.UNAUTHORIZED
    """Of the answer."""

    error: ClassVar[str | None] = "invalid_token"
    """The code of RFC 6750 §3.1; none where nothing was sent."""


class NoToken(TokenError):
    """The request brings no credentials."""

    error = None


class MalformedCredentials(TokenError):
    """What the request brings as credentials can be read in two ways, or in none."""

    status = HTTPStatus.BAD_REQUEST
    error = "invalid_request"


class TokenRefused(TokenError):
    """The token does not count; another one may."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class InsufficientScope(TokenError):
    """The token counts, and lacks a scope."""

    status = HTTPStatus.FORBIDDEN
    error = "insufficient_scope"

    def __init__(self, required: str, message: str) -> None:
        super().__init__(message)
        self.required = required
        """The scopes that are needed, joined by spaces."""


class NotVerifiable(TokenError):
    """The broker's keys, or its answer, are not to be had now; the token may be good."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    error = "temporarily_unavailable"

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """In how many seconds another try is worth it."""
