"""How large the tokens of a service can get, whoever they are for and whatever the job says.

A claim of the service's own is never dropped, so that a set of which some token would be too large
is not loaded.
"""

from collections import Counter
from typing import Any, Final

from broker.core.access_token import size_of
from broker.core.claim_templates import MAX_TEXT, METADATA, Placeholder
from broker.core.platforms import PRESETS
from broker.core.policy import Service
from broker.core.registry.members import MAX_METADATA_BYTES
from broker.core.shaped_claims import skeleton
from broker.core.token_shape import TokenShape, claim_of_job, templates_in

_SUB: Final = 127
_CLIENT_ID: Final = 63
_ORGANIZATION: Final = 100
_VALUE: Final = 100
_TOKEN_ID: Final = 36
_TIME: Final = 10**10


def largest_token(service: Service, shape: TokenShape, issuer: str) -> int:
    """Give the bytes of the largest token, without what may be dropped; `issuer` is the broker."""
    members: dict[str, Any] = {
        "iss": issuer,
        "sub": "x" * _SUB,
        "aud": service.audience,
        "exp": _TIME,
        "iat": _TIME,
        "nbf": _TIME,
        "jti": "x" * _TOKEN_ID,
        "client_id": "x" * _CLIENT_ID,
        "token_type": "service",
        "org_id": "x" * _ORGANIZATION,
        "scope": " ".join(service.scopes),
        **skeleton(shape),
    }
    # Values never hold what JSON would escape, so that they can be counted apart.
    return size_of(members, _filled_in(shape), service.token_typ, service.signing_alg)


def _filled_in(shape: TokenShape) -> int:
    """Count what placeholders add at most, over all templates."""
    of_others = of_metadata = 0
    named: Counter[str] = Counter()
    for template in templates_in(shape.claims, shape.session_tags):
        rest = MAX_TEXT - template.literal_length
        others = min(rest, sum(_longest(each) for each in template.placeholders()))
        of_others += others
        metadata = [each.name for each in template.placeholders() if each.source == METADATA]
        of_metadata += min(rest - others, len(metadata) * MAX_TEXT)
        named.update(metadata)
    # All members of one account together have a bound of their own.
    most = max(named.values(), default=0) * MAX_METADATA_BYTES
    return of_others + min(of_metadata, most)


def _longest(placeholder: Placeholder) -> int:
    """Give the longest that a placeholder stands for; metadata is counted apart."""
    match placeholder.source:
        case "metadata":
            return 0
        case "workload":
            return MAX_TEXT if _may_be_path(placeholder.name) else _VALUE
        case "sub":
            return _SUB
        case "organization":
            return _ORGANIZATION
        case _:
            return _CLIENT_ID


def _may_be_path(name: str) -> bool:
    return any(claim_of_job(name, each) in each.tenant_paths for each in PRESETS.values())
