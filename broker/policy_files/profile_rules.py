"""What a `profile` of a service sets, and what it refuses, before any token is issued."""

from collections.abc import Iterator

from broker.core.errors import Problem
from broker.core.token_profiles import (
    MAX_LIFE,
    PROFILES,
    TOKEN_TYP,
    TokenProfile,
    issuer_fault,
)
from broker.policy_files.deployment import Deployment
from broker.policy_files.document_entries import Entry
from broker.policy_files.models import ServiceModel


def profile_of(entry: Entry[ServiceModel]) -> TokenProfile | None:
    """Find the profile that a service names."""
    name = entry.model.profile
    return None if name is None else PROFILES[name]


def profile_faults(entry: Entry[ServiceModel], deployment: Deployment) -> Iterator[Problem]:
    """Report what the systems of a service's profile would refuse, or take for something else."""
    profile, model = profile_of(entry), entry.model
    if profile is None or not profile.session_tags:
        yield from _tag_faults(entry)
    if profile is None:
        return
    if model.token_typ not in (None, TOKEN_TYP):
        text = f"tokens of profile {profile.name} are of type {TOKEN_TYP}; delete this"
        yield entry.problem(("token_typ",), text)
    yield from _algorithm_faults(entry, profile, deployment)
    if profile.own_prefix is not None:
        yield from _prefix_faults(entry, profile.name, profile.own_prefix)
    if profile.audience not in (None, model.audience):
        text = f"{profile.name} takes one audience: {profile.audience}"
        yield entry.problem(("audience",), text)
    for field in ("ttl", "max_ttl"):
        if (getattr(model, field) or 0) > MAX_LIFE:
            text = f"tokens of profile {profile.name} live up to 1h"
            yield entry.problem((field,), text)
    # On loopback nothing outside can reach the broker's keys: it is for trying only.
    fault = None if deployment.loopback else issuer_fault(profile, deployment.broker_issuer)
    if fault is not None:
        text = f"{fault}; the broker's `issuer` is {deployment.broker_issuer}"
        yield entry.problem(("profile",), text)


def _tag_faults(entry: Entry[ServiceModel]) -> Iterator[Problem]:
    for field in ("session_tags", "transitive_tags"):
        if getattr(entry.model, field):
            yield entry.problem((field,), f"`{field}` needs `profile: aws`", at_key=True)


def _prefix_faults(entry: Entry[ServiceModel], profile: str, prefix: str) -> Iterator[Problem]:
    for name, value in entry.model.claims.items():
        for text in _texts(value):
            if text.startswith(prefix):
                fault = f"`{text}` begins with `{prefix}`, which belongs to {profile}; take another"
                yield entry.problem(("claims", name), fault)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _algorithm_faults(
    entry: Entry[ServiceModel], profile: TokenProfile, deployment: Deployment
) -> Iterator[Problem]:
    stated = entry.model.signing_alg
    taken = " or ".join(profile.algorithms)
    if stated is not None and stated not in profile.algorithms:
        yield entry.problem(("signing_alg",), f"{profile.name} takes {taken} alone")
    elif not set(profile.algorithms) & set(deployment.signing_algorithms):
        text = f"{profile.name} takes {taken} alone, and the broker has no such key"
        yield entry.problem(("profile",), f"{text}; add one to `signing.algorithms`")
