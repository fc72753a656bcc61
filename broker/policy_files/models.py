"""The shape of the policy files, as pydantic models (contract §4).

Shape only: names, types and bounds of single fields. What depends on several fields, entries or
files is decided where core values are made of these.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from broker.core.durations import seconds_of
from broker.policy_files.schema_parts import DATE, duration

MAX_TTL: Final = 86_400
MAX_TOKEN_LIFETIME: Final = 30 * 86_400
MAX_ASKED_LIFETIME: Final = 365 * 86_400

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _ttl(value: object) -> int:
    return seconds_of(value, minimum=1, maximum=MAX_TTL)


def _token_lifetime(value: object) -> int:
    return seconds_of(value, minimum=1, maximum=MAX_TOKEN_LIFETIME)


def _expiry(value: object) -> float:
    """Read a date as the instant at which it begins, UTC."""
    fault = "must be a date, as in `2027-06-30`"
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError(fault)
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise ValueError(fault) from None


def _asked_lifetime(value: object) -> int:
    """Read what a request may ask for: seconds as a number, or a duration."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    return seconds_of(value, minimum=1, maximum=MAX_ASKED_LIFETIME)


Ttl = Annotated[int, BeforeValidator(_ttl), WithJsonSchema(duration(MAX_TTL))]
TokenLifetime = Annotated[
    int, BeforeValidator(_token_lifetime), WithJsonSchema(duration(MAX_TOKEN_LIFETIME))
]
Expiry = Annotated[float, BeforeValidator(_expiry), WithJsonSchema(DATE)]
AskedLifetime = Annotated[
    int,
    BeforeValidator(_asked_lifetime),
    WithJsonSchema({"anyOf": [duration(MAX_ASKED_LIFETIME), {"type": "integer", "minimum": 1}]}),
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Match = dict[str, object]
"""Conditions by claim; `matchers` reads them."""

Grants = dict[str, list[Text]]


class _Entry(BaseModel):
    """What all entries share: no coercion, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class OrganizationModel(_Entry):
    """An entry of `organizations`."""

    description: Text


class IssuerModel(_Entry):
    """An entry of `issuers`."""

    preset: Literal["github", "gitlab"] | None = None
    issuer: Text | None = None
    jwks_file: Text | None = None
    jwks_uri: Text | None = None
    ca_file: Text | None = None
    proxy: Text | None = None
    audiences: list[Text] | None = None
    algorithms: list[Text] | None = None
    max_token_lifetime: TokenLifetime | None = None
    replay: Literal["single_use", "per_audience", "reusable"] | None = None
    require: Match | None = None
    tenant: list[Text] | None = None
    single_tenant: bool = False
    enabled: bool = True
    contact: Text | None = None


class ServiceModel(_Entry):
    """An entry of `services`."""

    audience: Text
    scopes: dict[str, Text] = Field(default_factory=dict)
    ttl: Ttl | None = None
    max_ttl: Ttl | None = None
    signing_alg: Literal["RS256", "ES256", "EdDSA"] | None = None
    token_typ: Literal["at+jwt", "JWT"] | None = None
    workload: Literal["full", "ids", "none"] = "full"
    require: Match | None = None
    introspection: list[Text] = Field(default_factory=list)
    organizations: list[Text] = Field(default_factory=list)
    profile: Literal["aws", "gcp", "entra", "kubernetes"] | None = None
    claims: dict[str, object] = Field(default_factory=dict)
    session_tags: dict[str, Text] = Field(default_factory=dict)
    transitive_tags: list[Text] = Field(default_factory=list)


class ServiceAccountModel(_Entry):
    """An entry of `service_accounts`."""

    grants: Grants
    description: Text = ""
    owner: Text | None = None
    organization: Text | None = None
    ttl: Ttl | None = None
    max_ttl: Ttl | None = None
    metadata: dict[str, object] = Field(default_factory=dict)
    secrets: Literal["forbidden", "allowed"] = "forbidden"
    enabled: bool = True
    jwks_uri: Text | None = None
    jwks: dict[str, object] | None = None
    instances: list[Text] = Field(default_factory=list)


class PolicyModel(_Entry):
    """An entry of `policies`."""

    issuer: Text
    match: Match
    effect: Literal["allow", "deny"] = "allow"
    service_account: Text | None = None
    grants: Grants | None = None
    services: list[Text] | None = None
    ttl: Ttl | None = None
    max_ttl: Ttl | None = None
    expires: Expiry | None = None
    mode: Literal["enforce", "observe"] = "enforce"
    owner: Text | None = None
    ticket: Text | None = None
    description: Text = ""


class PolicyTestRequestModel(_Entry):
    """The `request` of a test."""

    audience: Text | None = None
    scope: Text | None = None
    client_id: Text | None = None
    expires_in: AskedLifetime | None = None


class PolicyTestModel(_Entry):
    """An item of `tests`."""

    name: Text
    issuer: Text
    expect: object
    base: Text | None = None
    claims: dict[str, object] = Field(default_factory=dict)
    request: PolicyTestRequestModel = PolicyTestRequestModel()


class ExpectedPermitModel(_Entry):
    """What a test may say of a permit."""

    service_account: Text | None = None
    scopes: list[Text] | None = None
    ttl: Ttl | None = None
