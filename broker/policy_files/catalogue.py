"""From entries of `services` to the permission catalogue, and grants read against it."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from broker.core.broker_service import BROKER_SERVICE, broker_service
from broker.core.claims import is_printable_ascii
from broker.core.conditions import Condition
from broker.core.errors import Problem
from broker.core.grant_text import WILDCARD, scopes_meant
from broker.core.policy import Grants, Service, WorkloadDetail
from broker.core.token_profiles import MAX_LIFE, TOKEN_TYP
from broker.policy_files.deployment import Deployment
from broker.policy_files.document_entries import Entry, Model
from broker.policy_files.entries import Entries
from broker.policy_files.matchers import read_conditions
from broker.policy_files.models import ServiceModel
from broker.policy_files.profile_rules import profile_faults, profile_of
from broker.policy_files.sentences import did_you_mean
from broker.policy_files.token_shapes import read_claims, read_session_tags, size_faults

MAX_AUDIENCE_LENGTH: Final = 255
DEFAULT_SIGNING_ALG: Final = "RS256"
DEFAULT_TOKEN_TYP: Final = "at+jwt"

# RFC 6749 §3.3, without `*`: that is a wildcard in grants.
_SCOPE: Final = re.compile(r"[!#-)+-\[\]-~]{1,128}")


def build_services(
    entries: Entries, deployment: Deployment, problems: list[Problem]
) -> dict[str, Service]:
    """Make the catalogue of the sound entries; what is wrong with others goes to `problems`."""
    services: dict[str, Service] = {
        BROKER_SERVICE: broker_service(
            deployment.broker_issuer,
            ttl=deployment.ttl,
            max_ttl=deployment.max_ttl,
            signing_alg=_default_signing_alg(deployment),
        )
    }
    place_of_audience: dict[str, str] = {}
    for entry in entries.services.values():
        _check_audience(entry, entries, deployment, problems)
        audience = entry.model.audience
        if audience in place_of_audience:
            text = f"this audience is already that of {place_of_audience[audience]}; one each"
            problems.append(entry.problem(("audience",), text))
        place_of_audience.setdefault(audience, f"`{entry.name}` in {entry.place}")
        _check_scopes(entry, problems)
        check_organizations(entry, "organizations", entry.model.organizations, entries, problems)
        problems += profile_faults(entry, deployment)
        service = _service(entry, deployment, problems)
        problems += size_faults(entry, service, deployment)
        services[entry.name] = service
    return services


def check_organizations(
    entry: Entry[Model],
    field: str,
    names: Sequence[str],
    entries: Entries,
    problems: list[Problem],
) -> None:
    """Report the organizations that no file defines. A single name is not indexed in its path."""
    known = entries.declared["organizations"]
    for index, name in enumerate(names):
        if entries.lack("organizations", name):
            path = (field, index) if field == "organizations" else (field,)
            text = f"there is no organization `{name}`{did_you_mean(name, known)}"
            problems.append(entry.problem(path, text))


def read_grants(
    entry: Entry[Model],
    grants: Mapping[str, Sequence[str]],
    entries: Entries,
    services: Mapping[str, Service],
    problems: list[Problem],
) -> Grants:
    """Read the `grants` of an entry, with wildcards expanded against the catalogue."""
    found: dict[str, frozenset[str]] = {}
    for name, scopes in grants.items():
        fault = unknown_service(name, entries)
        if fault is not None:
            problems.append(entry.problem(("grants", name), fault, at_key=True))
        service = services.get(name)
        if service is None:
            continue
        granted: set[str] = set()
        for index, scope in enumerate(scopes):
            matching = _matching(scope, service)
            if isinstance(matching, str):
                problems.append(entry.problem(("grants", name, index), matching))
            else:
                granted |= matching
        found[name] = frozenset(granted)
    return found


def unknown_service(name: str, entries: Entries) -> str | None:
    """Say that no file defines a service, None if one does."""
    known = entries.declared["services"]
    if name != BROKER_SERVICE and entries.lack("services", name):
        return f"there is no service `{name}`{did_you_mean(name, known)}"
    return None


def _matching(scope: str, service: Service) -> frozenset[str] | str:
    """Give the catalogue's scopes that one item of a grant means, or what is wrong with it."""
    if "*" not in scope:
        if scope in service.scopes:
            return frozenset({scope})
        if not service.scopes:
            return f"service `{service.name}` has no scopes; write `[]`"
        known = did_you_mean(scope, service.scopes)
        return f"service `{service.name}` has no scope `{scope}`{known}"
    wildcard = WILDCARD.fullmatch(scope)
    if wildcard is None:
        return "`*` stands only at the end, after a colon, as in `deploy:*`"
    matching = scopes_meant([scope], service)
    if not matching:
        return f"service `{service.name}` has no scope that begins with `{wildcard[1]}`"
    return matching


def _service(
    entry: Entry[ServiceModel], deployment: Deployment, problems: list[Problem]
) -> Service:
    model = entry.model
    profile = profile_of(entry)
    most = deployment.max_ttl if profile is None else min(deployment.max_ttl, MAX_LIFE)
    longest = model.max_ttl or most
    return Service(
        name=entry.name,
        audience=model.audience,
        scopes=dict(sorted(model.scopes.items())),
        # What is said of it is what its tokens get: a default gives way to the service's bound.
        ttl=min(model.ttl or deployment.ttl, longest),
        max_ttl=longest,
        signing_alg=_signing_alg(entry, deployment, problems),
        token_typ=model.token_typ or (DEFAULT_TOKEN_TYP if profile is None else TOKEN_TYP),
        workload=WorkloadDetail(model.workload),
        require=_require(entry, problems),
        introspection=tuple(sorted(set(model.introspection))),
        organizations=tuple(sorted(set(model.organizations))),
        profile=model.profile,
        claims=read_claims(entry, problems),
        session_tags=read_session_tags(entry, problems),
        transitive_tags=tuple(model.transitive_tags),
    )


def _check_audience(
    entry: Entry[ServiceModel],
    entries: Entries,
    deployment: Deployment,
    problems: list[Problem],
) -> None:
    audience = entry.model.audience
    fault = None
    if not is_printable_ascii(audience) or " " in audience or len(audience) > MAX_AUDIENCE_LENGTH:
        fault = f"an audience is up to {MAX_AUDIENCE_LENGTH} of printable ASCII without spaces"
    elif audience == deployment.broker_issuer:
        fault = "this is the broker's own audience; use the URL of the service"
    elif audience == BROKER_SERVICE:
        fault = "`broker` is the broker itself; use the URL of the service"
    elif audience != entry.name and audience in entries.declared["services"]:
        fault = "this is the name of another service; use the URL of the service"
    if fault is not None:
        problems.append(entry.problem(("audience",), fault))


def _check_scopes(entry: Entry[ServiceModel], problems: list[Problem]) -> None:
    for scope in entry.model.scopes:
        if not _SCOPE.fullmatch(scope):
            text = 'a scope is up to 128 of printable ASCII without space, `"`, `\\` and `*`'
            problems.append(entry.problem(("scopes", scope), text, at_key=True))


def _signing_alg(
    entry: Entry[ServiceModel], deployment: Deployment, problems: list[Problem]
) -> str:
    available = deployment.signing_algorithms
    stated = entry.model.signing_alg
    if stated is None:
        profile = profile_of(entry)
        fitting = profile.algorithms if profile else ()
        return next((each for each in fitting if each in available), None) or (
            _default_signing_alg(deployment)
        )
    if stated not in available:
        text = f"the broker has no key for {stated}; `signing.algorithms`: {', '.join(available)}"
        problems.append(entry.problem(("signing_alg",), text))
    return stated


def _default_signing_alg(deployment: Deployment) -> str:
    available = deployment.signing_algorithms
    return DEFAULT_SIGNING_ALG if DEFAULT_SIGNING_ALG in available else available[0]


def _require(entry: Entry[ServiceModel], problems: list[Problem]) -> tuple[Condition, ...]:
    # Which claims ignore case depends on the issuer of the token; `Service.minimum` knows.
    return (
        read_conditions(
            entry.model.require or {},
            frozenset(),
            lambda path, text: problems.append(entry.problem(("require", *path), text)),
        )
        or ()
    )
