"""The six maps of the policy files, compiled: who is trusted, what exists, who may act as whom.

Everything here is a value. `broker.policy_files` makes them from YAML and refuses what is wrong;
`broker.core.decision` reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from broker.core.claim_templates import Template
from broker.core.conditions import Condition, Effect
from broker.core.platforms import PRESETS, Platform
from broker.core.token_shape import ClaimTemplate, TokenShape, shape_of


class Replay(StrEnum):
    """How often one token of an issuer may be exchanged."""

    SINGLE_USE = "single_use"
    PER_AUDIENCE = "per_audience"
    REUSABLE = "reusable"


class Mode(StrEnum):
    """Whether a policy counts, or is only evaluated and recorded."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


class WorkloadDetail(StrEnum):
    """How much of the CI claims a service's tokens carry."""

    FULL = "full"
    IDS = "ids"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where an issuer's keys come from: a document already read, a URI, or discovery.

    `document` wins over `jwks_uri`; with neither, the issuer's discovery document names the URI.
    `ca_certificates` (DER, one after another) are trusted instead of the system's; `proxy` is a URL
    that may hold a password.
    """

    document: bytes | None = field(default=None, repr=False)
    jwks_uri: str | None = None
    ca_certificates: bytes | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Issuer:
    """One trusted issuer of CI tokens."""

    name: str
    url: str
    """Compared byte for byte with `iss`."""

    audiences: frozenset[str]
    """The token's sole audience must be one of these."""

    platform: Platform | None = None
    algorithms: frozenset[str] = frozenset({"RS256", "ES256"})
    max_token_lifetime: int = 3600
    """Limit on exp − iat, seconds."""

    replay: Replay = Replay.REUSABLE
    require: tuple[Condition, ...] = ()
    tenant: tuple[str, ...] = ()
    single_tenant: bool = False
    enabled: bool = True
    keys: KeySource = KeySource()
    contact: str | None = None

    @property
    def tenant_claims(self) -> tuple[str, ...]:
        """The claims that pin a tenant of this issuer."""
        return self.platform.tenant_claims if self.platform else self.tenant


@dataclass(frozen=True, slots=True)
class Service:
    """One entry of the permission catalogue: an audience and the scopes that mean something there.

    `ttl` and `max_ttl` are seconds, with the defaults of `tokens:` already filled in.
    """

    name: str
    audience: str
    scopes: Mapping[str, str] = field(default_factory=dict)
    ttl: int = 600
    max_ttl: int = 3600
    signing_alg: str = "RS256"
    token_typ: str = "at+jwt"
    workload: WorkloadDetail = WorkloadDetail.FULL
    require: tuple[Condition, ...] = ()
    introspection: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    profile: str | None = None
    """The kind of system that its tokens are for (`token_profiles`), None for any other."""

    claims: Mapping[str, ClaimTemplate] = field(default_factory=dict)
    """Claims of its own, by name."""

    session_tags: Mapping[str, Template] = field(default_factory=dict)
    """Tags of an AWS session, by key."""

    transitive_tags: tuple[str, ...] = ()
    """The keys of those tags that stay when the session takes another role."""

    shape: TokenShape | None = field(init=False, repr=False, compare=False)
    """Both together, ready to be filled in; None where there are none."""

    _require_by_preset: Mapping[str, tuple[Condition, ...]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Prepare once what would otherwise be made at every decision."""
        shape = shape_of(self.claims, self.session_tags, self.transitive_tags)
        object.__setattr__(self, "shape", shape)
        by_preset = {
            platform.name: tuple(
                replace(condition, folded=condition.claim in platform.folded)
                for condition in self.require
            )
            for platform in PRESETS.values()
        }
        object.__setattr__(self, "_require_by_preset", by_preset)

    def minimum(self, issuer: Issuer) -> tuple[Condition, ...]:
        """Give `require` for tokens of an issuer, ignoring case where its platform does."""
        if issuer.platform is None:
            return self.require
        return self._require_by_preset[issuer.platform.name]


Grants = Mapping[str, frozenset[str]]
"""Scopes by service name; an empty set is the service without scopes."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What may be done, under the id that tokens carry as `client_id`."""

    client_id: str
    grants: Grants
    description: str = ""
    owner: str | None = None
    organization: str | None = None
    ttl: int | None = None
    max_ttl: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True
    instances: tuple[str, ...] = ()
    secrets_allowed: bool = False
    """Whether client secrets of it count."""

    jwks: Mapping[str, Any] | None = None
    jwks_uri: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may act as a service account, or (deny) who may not reach which services."""

    name: str
    issuer: str
    """The issuer's name; no policy holds for the tokens of another."""

    conditions: tuple[Condition, ...]
    effect: Effect = Effect.ALLOW
    service_account: str | None = None
    grants: Grants | None = None
    services: frozenset[str] | None = None
    ttl: int | None = None
    max_ttl: int | None = None
    expires_at: float | None = None
    """The instant from which the policy no longer holds, seconds since the epoch."""

    mode: Mode = Mode.ENFORCE
    owner: str | None = None
    ticket: str | None = None
    description: str = ""
    place: str = field(default="", compare=False)
    """`file:line` where it is written, for the operator; says nothing about what it means."""


MAPS: Final = ("issuers", "services", "service_accounts", "policies", "organizations")
"""The maps of a `PolicySet`, by the names that they have in the files."""


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Everything that the policy files say, at one moment; `version` is the SHA-256 of it."""

    issuers: Mapping[str, Issuer]
    services: Mapping[str, Service]
    service_accounts: Mapping[str, ServiceAccount]
    policies: Mapping[str, Policy]
    organizations: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    _issuer_by_url: Mapping[str, Issuer] = field(init=False, repr=False, compare=False)
    _service_by_audience: Mapping[str, Service] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index issuers by URL and services by audience."""
        by_url = {issuer.url: issuer for issuer in self.issuers.values()}
        by_audience = {service.audience: service for service in self.services.values()}
        object.__setattr__(self, "_issuer_by_url", MappingProxyType(by_url))
        object.__setattr__(self, "_service_by_audience", MappingProxyType(by_audience))

    def __reduce__(self) -> tuple[type["PolicySet"], tuple[object, ...]]:
        """Pickle what the set was made of; what is derived from it is made anew."""
        maps = (self.issuers, self.services, self.service_accounts, self.policies)
        return PolicySet, (*maps, self.organizations, self.version)

    def issuer_by_url(self, url: str) -> Issuer | None:
        """Find the issuer whose URL is exactly this."""
        return self._issuer_by_url.get(url)

    def service_by_audience(self, audience: str) -> Service | None:
        """Find the service whose tokens carry an audience."""
        return self._service_by_audience.get(audience)

    def service(self, target: str) -> Service | None:
        """Find a service by its name or its audience URI."""
        return self.services.get(target) or self._service_by_audience.get(target)
