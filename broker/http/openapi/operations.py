"""What each endpoint does, takes and answers, beside what the list of endpoints says itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from broker.http.api.audit_logs import FILTERS, OUTCOMES
from broker.http.api.issuers import JWKS
from broker.http.api.query import DEFAULT_LIMIT, MAX_LIMIT, MAX_VALUE_LENGTH
from broker.http.openapi.schemas import TEXT, Schema

FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `answer` and the values of `bodies` and `more` name shapes."""

    summary: str
    answer: str
    tag: str
    parameters: Sequence[Mapping[str, Any]] = ()
    bodies: Mapping[str, str] = field(default_factory=dict)
    """By media type."""

    body_required: bool = True
    more: Mapping[int, str] = field(default_factory=dict)
    """Further answers by status."""

    status: int = 200
    """Of the answer when all is well; 204 has no body."""

    media: str = JSON
    """Of the answer when all is well."""

    or_media: str | None = None
    """Another one that it may have, for who accepts it."""


def _parameter(name: str, description: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


# The characters that `read_query` lets pass.
_PRINTABLE: Final[Schema] = TEXT | {
    "minLength": 1,
    "maxLength": MAX_VALUE_LENGTH,
    "pattern": r"^[^\x00-\x1f\x7f]+$",
}
_INSTANT: Final[Schema] = {
    "anyOf": [
        TEXT | {"format": "date-time"},
        TEXT | {"format": "date"},
        TEXT | {"pattern": "^[1-9][0-9]{0,3}[smhd]$"},
    ]
}
_PAGE: Final = (
    _parameter("cursor", "`next_cursor` of the page before, with the same filters.", _PRINTABLE),
    _parameter(
        "limit",
        f"How many items a page may have; {DEFAULT_LIMIT} if left out.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
    ),
)
_FILTER_TEXTS: Final = {
    "service_account_id": "Of this service account, or of one instance of it (its `sub`).",
    "start_date": "From then on: a date (UTC), a time, or `24h` for a day ago.",
    "end_date": "Before then.",
    "type": "Such as `token.exchanged`.",
    "outcome": "How they ended.",
    "policy": "What this policy decided.",
    "issuer": "Jobs of this issuer, by its name in the policies.",
    "decision_id": "The event of this decision.",
}
_FILTER_SCHEMAS: Final[Mapping[str, Schema]] = {
    "start_date": _INSTANT,
    "end_date": _INSTANT,
    "outcome": TEXT | {"enum": list(OUTCOMES)},
}
_FILTER_PARAMETERS: Final = tuple(
    _parameter(name, _FILTER_TEXTS[name], _FILTER_SCHEMAS.get(name, _PRINTABLE)) for name in FILTERS
)

_ACCOUNTS: Final = "/api/v1/service-accounts"
_ACCOUNT: Final = f"{_ACCOUNTS}/{{client_id}}"
_SECRETS: Final = f"{_ACCOUNT}/secrets"
_NOT_FOUND: Final = {404: "Problem"}
_CHANGED: Final = {404: "Problem", 409: "Problem"}

_ACCOUNT_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", _ACCOUNTS): Operation(
        "List service accounts, of files and made ones",
        "ServiceAccounts",
        "Service accounts",
        parameters=(*_PAGE, _parameter("organization", "Those of one only.", _PRINTABLE)),
    ),
    ("POST", _ACCOUNTS): Operation(
        "Make a service account, with a secret if it may have one",
        "MadeServiceAccount",
        "Service accounts",
        bodies={JSON: "ServiceAccountRequest"},
        more={409: "Problem"},
        status=201,
    ),
    ("GET", _ACCOUNT): Operation(
        "Show a service account", "ServiceAccount", "Service accounts", more=_NOT_FOUND
    ),
    ("PATCH", _ACCOUNT): Operation(
        "Change a service account by a merge patch (RFC 7396)",
        "ServiceAccount",
        "Service accounts",
        bodies={JSON: "ServiceAccountPatch", "application/merge-patch+json": "ServiceAccountPatch"},
        body_required=False,
        more=_CHANGED,
    ),
    ("DELETE", _ACCOUNT): Operation(
        "End a service account and its secrets", "", "Service accounts", more=_CHANGED, status=204
    ),
    ("GET", _SECRETS): Operation(
        "List the secrets that are alive", "Secrets", "Secrets", more=_NOT_FOUND
    ),
    ("POST", _SECRETS): Operation(
        "Make one more secret",
        "MadeSecret",
        "Secrets",
        bodies={JSON: "SecretRequest"},
        body_required=False,
        more=_CHANGED,
        status=201,
    ),
    ("DELETE", f"{_SECRETS}/{{secret_id}}"): Operation(
        "End a secret", "", "Secrets", more=_CHANGED, status=204
    ),
    ("POST", f"{_SECRETS}/rotate"): Operation(
        "Make a second secret for one that ends with the overlap",
        "MadeSecret",
        "Secrets",
        bodies={JSON: "RotationRequest"},
        body_required=False,
        more=_CHANGED,
        status=201,
    ),
    ("POST", f"{_SECRETS}/rotate/complete"): Operation(
        "End the secret that is replaced", "Secret", "Secrets", more=_CHANGED
    ),
    ("POST", f"{_SECRETS}/rotate/cancel"): Operation(
        "Drop the new secret", "Secret", "Secrets", more=_CHANGED
    ),
}

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("POST", "/oauth/token"): Operation(
        "Exchange a CI token for a service token", "Token", "OAuth", bodies={FORM: "TokenRequest"}
    ),
    ("POST", "/api/v1/auth/token"): Operation(
        "The same, also with a JSON object",
        "Token",
        "OAuth",
        bodies={FORM: "TokenRequest", JSON: "TokenRequestObject"},
    ),
    ("POST", "/oauth/explain"): Operation(
        "Say what would be decided, and why",
        "Explanation",
        "OAuth",
        bodies={FORM: "ExplainRequest"},
    ),
    ("POST", "/oauth/revoke"): Operation(
        "Revoke a service token", "Nothing", "OAuth", bodies={FORM: "RevocationRequest"}
    ),
    ("POST", "/oauth/introspect"): Operation(
        "Tell whether a service token counts, and what it says",
        "Introspection",
        "OAuth",
        bodies={FORM: "IntrospectionRequest"},
    ),
    ("GET", "/api/v1/policies"): Operation(
        "List the policies in force, or of a set that ran",
        "Policies",
        "Policies",
        parameters=(_parameter("version", "The SHA-256 of the set.", _PRINTABLE),),
        more={404: "Problem"},
    ),
    ("POST", "/api/v1/policies/reload"): Operation(
        "Put the policy files in force", "PolicyReload", "Policies", more={409: "Problem"}
    ),
    ("POST", "/api/v1/policies/simulate"): Operation(
        "Say what changed policy files would have made of what was decided",
        "Simulation",
        "Policies",
        bodies={JSON: "SimulationRequest"},
        body_required=False,
        more={409: "Problem"},
    ),
    ("GET", "/api/v1/keys"): Operation("List the broker's signing keys", "SigningKeys", "Keys"),
    ("POST", "/api/v1/keys/rotate"): Operation(
        "Let the next keys sign",
        "KeySuccessions",
        "Keys",
        bodies={JSON: "KeyRotation"},
        body_required=False,
    ),
    ("GET", "/api/v1/blocks"): Operation("List the blocks that hold", "Blocks", "Blocks"),
    ("POST", "/api/v1/blocks"): Operation(
        "Block what claims, a service account or a policy name",
        "Block",
        "Blocks",
        bodies={JSON: "BlockRequest"},
        more={409: "Problem"},
        status=201,
    ),
    ("DELETE", "/api/v1/blocks/{block_id}"): Operation(
        "Lift a block", "", "Blocks", more=_NOT_FOUND, status=204
    ),
    ("GET", "/api/v1/audit-logs"): Operation(
        "List audit events, the newest first",
        "AuditEvents",
        "Audit",
        parameters=(*_FILTER_PARAMETERS, *_PAGE),
    ),
    ("POST", "/api/v1/audit-logs/verify"): Operation(
        "Verify the chain of all events", "AuditVerification", "Audit"
    ),
    ("GET", "/api/v1/services"): Operation(
        "List the services and what their scopes mean", "Services", "Catalogue", parameters=_PAGE
    ),
    ("GET", "/api/v1/organizations"): Operation(
        "List the organizations", "Organizations", "Catalogue", parameters=_PAGE
    ),
    ("GET", "/api/v1/issuers"): Operation(
        "List the issuers and the state of their keys", "Issuers", "Issuers", parameters=_PAGE
    ),
    ("PATCH", "/api/v1/issuers/{name}"): Operation(
        "Switch an issuer off, or on again",
        "Issuer",
        "Issuers",
        bodies={JSON: "IssuerPatch", "application/merge-patch+json": "IssuerPatch"},
        more=_CHANGED,
    ),
    ("PUT", "/api/v1/issuers/{name}/jwks"): Operation(
        "Let uploaded keys count as those of an issuer (RFC 7517)",
        "UploadedKeys",
        "Issuers",
        bodies={JWKS: "KeySet", JSON: "KeySet"},
        more=_CHANGED,
    ),
    **_ACCOUNT_OPERATIONS,
    ("GET", "/d/{decision_id}"): Operation(
        "Say how a decision is looked up, whether or not there is one of this id",
        "DecisionPage",
        "OAuth",
        more=_NOT_FOUND,
        media="text/plain",
        or_media="text/html",
    ),
    ("GET", "/.well-known/openid-configuration"): Operation(
        "Metadata of the broker (OpenID Connect Discovery)", "Metadata", "Discovery"
    ),
    ("GET", "/.well-known/oauth-authorization-server"): Operation(
        "Metadata of the broker (RFC 8414)", "Metadata", "Discovery"
    ),
    ("GET", "/.well-known/jwks.json"): Operation(
        "The keys that service tokens are signed with (RFC 7517)", "KeySet", "Discovery"
    ),
    ("GET", "/.well-known/oauth-protected-resource"): Operation(
        "Metadata of the broker's API (RFC 9728)", "ProtectedResource", "Discovery"
    ),
    ("GET", "/openapi.json"): Operation("This description", "Description", "Discovery"),
    ("GET", "/healthz"): Operation("Whether the process answers", "Health", "Health"),
    ("GET", "/readyz"): Operation(
        "Whether an exchange could succeed", "Readiness", "Health", more={503: "Readiness"}
    ),
    ("GET", "/metrics"): Operation(
        "The figures of the broker, for Prometheus and its like",
        "Figures",
        "Health",
        media="text/plain",
    ),
}
