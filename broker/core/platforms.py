"""What the broker knows of each CI platform, as a table: one row per preset.

Adding a platform is adding a row. Sources: GitHub's OIDC reference, GitLab's `ci/jwt_v2.rb`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from types import MappingProxyType
from typing import Final, cast
from urllib.parse import urlsplit

from broker.core.claims import Claims, texts_of
from broker.core.record import record


@dataclass(frozen=True, slots=True)
class Platform:
    """One kind of CI platform: which claims exist in its tokens and what they mean."""

    name: str
    """The preset's name in `issuers:`."""

    issuer: str
    """The platform's public issuer URL, used where a preset names no other."""

    max_token_lifetime: int
    """Limit on exp − iat, seconds."""

    single_use: bool
    """Whether a token buys one service token only (jobs can fetch another one)."""

    tenant_ids: tuple[str, ...]
    """Claims that name a tenant and never change hands."""

    tenant_names: tuple[str, ...]
    """Claims that name a tenant by a name that can be taken over."""

    tenant_paths: frozenset[str]
    """Tenant names with more than one segment, which a glob may follow from the second on."""

    sub_tenant: re.Pattern[str]
    """What an exact `sub` must begin with to name a tenant."""

    malformed_sub: re.Pattern[str] | None
    """What no `sub` of this platform begins with, being half of one form and half of another."""

    immutable_ids: frozenset[str]
    """Claims that `instances` may use without being pinned."""

    decimal_ids: frozenset[str]
    """Claims that are ids in decimal digits, never a name."""

    folded: frozenset[str]
    """Claims whose ASCII case the platform itself ignores."""

    event_claim: str
    """The claim that says what started the pipeline."""

    trusted_events: frozenset[str]
    """Events that outsiders cannot cause: the only ones a policy need not name."""

    required: tuple[str, ...]
    """Claims without which a token of the same issuer is no CI token."""

    free_text: tuple[str, ...]
    """Claims that authors name freely and that the platform repeats inside `sub`."""

    told: tuple[str, ...]
    """Claims that a refused caller is reminded of, most telling first."""

    workload: Mapping[str, str]
    """Service token member ← claim, for `workload: full`."""

    workload_ids: frozenset[str]
    """The members of `workload` that `workload: ids` keeps."""

    audit_claims: frozenset[str]
    """Claims that an audit event may record."""

    @property
    def tenant_claims(self) -> tuple[str, ...]:
        """The claims that pin a tenant, immutable ones first."""
        return self.tenant_ids + self.tenant_names

    def __reduce__(self) -> tuple[Callable[[str], "Platform"], tuple[str]]:
        """Pickle the name alone: the table is the same in every process of one broker."""
        return preset, (self.name,)


def _workload(*names: str, **renamed: str) -> Mapping[str, str]:
    return MappingProxyType({name: name for name in names} | renamed)


GITHUB: Final = Platform(
    name="github",
    issuer="https://token.actions.githubusercontent.com",
    max_token_lifetime=600,
    single_use=True,
    tenant_ids=("repository_id", "repository_owner_id"),
    tenant_names=("repository", "repository_owner"),
    tenant_paths=frozenset({"repository"}),
    sub_tenant=re.compile(
        r"repo:([^/:@*]+/[^/:@*]+|[^/:@*]+@[0-9]+/[^/:@*]+@[0-9]+)(:|\Z)"
        r"|(repository_id|repository_owner_id|repository_owner):[^:*]+(:|\Z)"
    ),
    # Names of owners and repositories have no `@`: both carry their id, or neither (row 72).
    malformed_sub=re.compile(r"repo:(?![^/:@]+@[0-9]+/[^/:@]+@[0-9]+(:|\Z))[^:@]*@"),
    immutable_ids=frozenset({"repository_id", "repository_owner_id", "environment_node_id"}),
    decimal_ids=frozenset({"repository_id", "repository_owner_id", "run_id", "actor_id"}),
    folded=frozenset({"repository", "repository_owner", "environment"}),
    event_claim="event_name",
    trusted_events=frozenset({
        "push", "workflow_dispatch", "schedule", "release", "create", "delete",
        "deployment", "merge_group", "repository_dispatch",
    }),
    required=(),
    free_text=("ref", "environment"),
    told=("repository", "event_name", "ref", "environment"),
    workload=_workload(
        "repository", "repository_id", "repository_owner", "repository_owner_id",
        "ref", "ref_type", "sha", "environment", "event_name",
        "run_id", "run_number", "run_attempt", "job_workflow_ref", "runner_environment", "actor_id",
    ),
    workload_ids=frozenset({
        "repository_id", "repository_owner_id", "run_id", "run_attempt", "sha", "actor_id",
    }),
    audit_claims=frozenset({
        "actor", "actor_id", "aud", "base_ref", "check_run_id", "enterprise", "enterprise_id",
        "environment", "environment_node_id", "event_name", "exp", "head_ref", "iat", "iss",
        "job_workflow_ref", "job_workflow_sha", "jti", "nbf", "ref", "ref_protected", "ref_type",
        "repository", "repository_id", "repository_owner", "repository_owner_id",
        "repository_visibility", "run_attempt", "run_id", "run_number", "runner_environment",
        "sha", "sub", "workflow", "workflow_ref", "workflow_sha",
    }),
)  # fmt: skip

GITLAB: Final = Platform(
    name="gitlab",
    issuer="https://gitlab.com",
    max_token_lifetime=86_400,
    single_use=False,
    tenant_ids=("project_id", "namespace_id"),
    tenant_names=("project_path", "namespace_path"),
    tenant_paths=frozenset({"project_path", "namespace_path"}),
    sub_tenant=re.compile(r"(project_path|project_id):[^:*]+(:|\Z)"),
    malformed_sub=None,
    immutable_ids=frozenset({"project_id", "namespace_id"}),
    decimal_ids=frozenset({"project_id", "namespace_id", "pipeline_id", "job_id", "user_id"}),
    folded=frozenset({
        "project_path", "namespace_path", "job_project_path", "job_namespace_path",
    }),
    event_claim="pipeline_source",
    trusted_events=frozenset({"push", "web", "schedule", "api", "trigger"}),
    # The same issuer and keys sign the ID tokens of people who log in (attacks row 111).
    required=("project_id", "pipeline_id", "job_id"),
    free_text=("ref", "environment"),
    told=("project_path", "pipeline_source", "ref", "ref_protected", "environment"),
    workload=_workload(
        "ref", "ref_type", "sha", "environment", "pipeline_source", "pipeline_id", "job_id",
        "runner_environment", "namespace_id", "user_id",
        repository="project_path", repository_id="project_id", run_id="pipeline_id",
    ),
    workload_ids=frozenset({
        "repository_id", "namespace_id", "run_id", "pipeline_id", "job_id", "sha", "user_id",
    }),
    audit_claims=frozenset({
        "aud", "ci_config_ref_uri", "ci_config_sha", "deployment_tier", "environment",
        "environment_action", "environment_protected", "exp", "iat", "iss", "job_id",
        "job_namespace_id", "job_namespace_path", "job_project_id", "job_project_path",
        "job_source", "jti", "namespace_id", "namespace_path", "nbf", "pipeline_id",
        "pipeline_source", "project_id", "project_path", "project_visibility", "ref", "ref_path",
        "ref_protected", "ref_type", "runner_environment", "runner_id", "sha", "sub", "user_id",
    }),
)  # fmt: skip

PRESETS: Final[Mapping[str, Platform]] = MappingProxyType(
    {platform.name: platform for platform in (GITHUB, GITLAB)}
)


FOLDED_CLAIMS: Final = frozenset().union(*(each.folded for each in PRESETS.values()))
"""Whatever claim is compared without regard to ASCII case, on any platform."""


def preset(name: str) -> Platform:
    """Find the platform of a preset. Raises `KeyError`."""
    return PRESETS[name]


AUDIT_CLAIMS_WITHOUT_PRESET: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})


_PLATFORM_DOMAINS: Final = {
    "github": ("token.actions.githubusercontent.com", "ghe.com"),
    "gitlab": ("gitlab.com",),
}


def preset_of_host(issuer: str) -> str | None:
    """Name the preset that an issuer URL of a known platform host must use, else None.

    GitHub.com with or without an enterprise slug, data residency on ghe.com, and gitlab.com.
    """
    try:
        host = (urlsplit(issuer).hostname or "").rstrip(".")
    except ValueError:
        return None
    for preset, domains in _PLATFORM_DOMAINS.items():
        if any(host == domain or host.endswith(f".{domain}") for domain in domains):
            return preset
    return None


@record
class Workload:
    """The job that holds the token, as the service token describes it."""

    platform: str
    full: Mapping[str, str]
    """Every member of the platform's allow-list that the token has, as text."""

    id_members: frozenset[str] = frozenset()
    """Which members are immutable ids."""

    @property
    def ids(self) -> Mapping[str, str]:
        """The immutable ones among them."""
        return {member: text for member, text in self.full.items() if member in self.id_members}


def recognise(claims: Claims, platform: Platform | None) -> Workload:
    """Describe the workload behind a token by its platform's allow-list of claims.

    An issuer without preset has none: nothing of its tokens is copied but `act`.
    """
    if platform is None:
        return Workload("other", {})
    texts = texts_of(claims, platform.workload.values())
    # Without those that have no text.
    full = dict(filter(itemgetter(1), zip(platform.workload, texts, strict=True)))
    return Workload(platform.name, cast("dict[str, str]", full), platform.workload_ids)
