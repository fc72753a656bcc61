"""Why the broker refuses: the stable reason words and the error tree.

BrokerError
├─ Refusal                  a request is refused; carries a `Reason`
│  ├─ RequestRefused        the form, before any token was looked at
│  ├─ SubjectTokenRefused   the CI token, up to the policies
│  ├─ DecisionRefused       the policies, the target, the scope or the account
│  ├─ RateLimited           too many requests, or too many that failed (429)
│  └─ Unavailable           an issuer's keys or the store cannot be reached (503)
└─ ConfigurationError       broker.yaml or the policy files; never on the wire
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from broker.core.printable import printable


class Reason(StrEnum):
    """The machine-readable cause of a refusal: error body, audit event and docs heading."""

    MALFORMED_REQUEST = "malformed_request"
    GRANT_TYPE_UNSUPPORTED = "grant_type_unsupported"
    UNSUPPORTED_TOKEN_TYPE = "unsupported_token_type"
    MALFORMED_TOKEN = "malformed_token"
    ALGORITHM_NOT_ALLOWED = "algorithm_not_allowed"
    ISSUER_NOT_TRUSTED = "issuer_not_trusted"
    ISSUER_DISABLED = "issuer_disabled"
    ISSUER_UNAVAILABLE = "issuer_unavailable"
    KEY_NOT_FOUND = "key_not_found"
    SIGNATURE_INVALID = "signature_invalid"
    TOKEN_EXPIRED = "token_expired"
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"
    TOKEN_LIFETIME_TOO_LONG = "token_lifetime_too_long"
    AUDIENCE_MISMATCH = "audience_mismatch"
    CLAIM_INVALID = "claim_invalid"
    TOKEN_ALREADY_USED = "token_already_used"
    NO_POLICY_MATCHED = "no_policy_matched"
    DENIED_BY_POLICY = "denied_by_policy"
    BLOCKED = "blocked"
    AMBIGUOUS_ACCOUNT = "ambiguous_account"
    ACCOUNT_DISABLED = "account_disabled"
    TARGET_UNKNOWN = "target_unknown"
    TARGET_REQUIRED = "target_required"
    SCOPE_NOT_ALLOWED = "scope_not_allowed"
    CLIENT_UNKNOWN_OR_BAD_SECRET = "client_unknown_or_bad_secret"
    GRANT_NOT_ALLOWED = "grant_not_allowed"
    RATE_LIMITED = "rate_limited"
    STORE_UNAVAILABLE = "store_unavailable"


SUCCESS: Final = "success"
REFUSED: Final = "refused"
ERROR: Final = "error"

_UNAVAILABLE: Final = frozenset({Reason.ISSUER_UNAVAILABLE, Reason.STORE_UNAVAILABLE})


def outcome_of(reason: Reason | None) -> str:
    """Give the word of the audit for how a request ended."""
    if reason is None:
        return SUCCESS
    return ERROR if reason in _UNAVAILABLE else REFUSED


class BrokerError(Exception):
    """Whatever the broker itself raises."""


class Refusal(BrokerError):
    """A request is refused.

    `description` is a sentence for the caller; it must not tell more than the two levels of
    explanation allow. `decision_id` is filled in once the refusal is on record; `issuer` is the
    name of the one whose token it is about, and `decided` the reason on record where the caller is
    told another one.
    """

    def __init__(self, reason: Reason, description: str) -> None:
        super().__init__(f"{reason}: {description}")
        self.reason = reason
        self.description = description
        self.decision_id: str | None = None
        self.issuer: str | None = None
        self.decided: Reason | None = None


class RequestRefused(Refusal):
    """The request itself cannot be served: its form, its grant type, its client credentials.

    `with_basic` says that the credentials came by HTTP Basic or that none came at all, which RFC
    6749 §5.2 answers with 401 and a challenge. `error` is the error code where an endpoint has one
    of its own for the reason.
    """

    def __init__(
        self,
        reason: Reason,
        description: str,
        *,
        with_basic: bool = False,
        error: str | None = None,
    ) -> None:
        super().__init__(reason, description)
        self.with_basic = with_basic
        self.error = error


class SubjectTokenRefused(Refusal):
    """The presented CI token is refused before any policy is asked."""


class DecisionRefused(Refusal):
    """The token is good, but no policy, target, scope or account serves the request.

    `service_accounts` is the choice when it is ambiguous, `conditions` are the failing ones of the
    nearest policy that the caller may see, as JSON members.
    """

    def __init__(
        self,
        reason: Reason,
        description: str,
        *,
        service_accounts: Sequence[str] = (),
        conditions: Sequence[Mapping[str, object]] = (),
    ) -> None:
        super().__init__(reason, description)
        self.service_accounts = service_accounts
        self.conditions = conditions


class RateLimited(Refusal):
    """There were too many requests of its kind; `retry_after` is in seconds."""

    def __init__(self, description: str, *, retry_after: int) -> None:
        super().__init__(Reason.RATE_LIMITED, description)
        self.retry_after = retry_after


class Unavailable(Refusal):
    """The broker cannot decide now: an issuer's keys or its own store are out of reach.

    `retry_after` is in seconds.
    """

    def __init__(self, reason: Reason, description: str, *, retry_after: int = 5) -> None:
        super().__init__(reason, description)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a configuration or policy file, with its place and how to mend it.

    `line` and `column` count from 1; 0 means the file as a whole.
    """

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        """Give `file:line:col: message`, as compilers do; whoever can commit chooses the name."""
        if not self.line:
            return f"{printable(self.file)}: {self.message}"
        return f"{printable(self.file)}:{self.line}:{self.column}: {self.message}"


class ConfigurationError(BrokerError):
    """The configuration or the policy files do not load; holds every problem found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
