"""What a block could ever hold for, found out before it is set (contract §5).

A brake that holds nothing looks like one that does, in the very night when nobody looks twice.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from broker.core.blocks import ISSUER, NO_CLAIMS, POLICY, SERVICE_ACCOUNT
from broker.core.claims import is_printable_ascii
from broker.core.conditions import Condition, Effect
from broker.core.indexed_policies import IndexedPolicies
from broker.core.platforms import AUDIT_CLAIMS_WITHOUT_PRESET
from broker.core.policy import Issuer, Mode, Policy, PolicySet
from broker.core.registry.refused import invalid

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]*")


def require_reach(where: Mapping[str, str], policies: IndexedPolicies) -> None:
    """Refuse what no token of any issuer could have. Raises `ChangeRefused`.

    Whether an account exists, the store says as well.
    """
    issuers = _issuers(where, policies.policy_set)
    claims = [name for name in where if name not in NO_CLAIMS]
    for name in claims:
        having = [each for each in issuers if name in _kept(each, policies)]
        if not having:
            raise _no_claim(name, where, issuers)
        if all(_is_object(name, each, policies.policy_set) for each in having):
            raise invalid(_field(name), "has values inside it, and none that could be named")
        _require_possible(name, where[name], having)
    if not any(_kept(each, policies).issuperset(claims) for each in issuers):
        raise invalid("where", "names claims of several issuers, and no token has all of them")


def _issuers(where: Mapping[str, str], policy_set: PolicySet) -> Sequence[Issuer]:
    """List the issuers whose tokens it may be about."""
    named, policy = where.get(ISSUER), _policy(where, policy_set)
    if named is not None and named not in policy_set.issuers:
        raise invalid(_field(ISSUER), "there is no issuer of this name")
    if policy is not None:
        if named not in (None, policy.issuer):
            message = f"is for tokens of the issuer '{policy.issuer}', and of no other"
            raise invalid(_field(POLICY), message)
        named = policy.issuer
    return list(policy_set.issuers.values()) if named is None else [policy_set.issuers[named]]


def _policy(where: Mapping[str, str], policy_set: PolicySet) -> Policy | None:
    """Find the policy that it names, which must be one that grants something."""
    if POLICY not in where:
        return None
    policy = policy_set.policies.get(where[POLICY])
    if policy is None:
        raise invalid(_field(POLICY), "there is no policy of this name")
    if policy.effect is Effect.DENY:
        raise invalid(_field(POLICY), "is a deny policy: there is nothing that it gives")
    if policy.mode is Mode.OBSERVE:
        message = "is only observed, so that it gives nothing: name its service account"
        raise invalid(_field(POLICY), message)
    account = where.get(SERVICE_ACCOUNT, policy.service_account or "").partition(":")[0]
    if account != policy.service_account:
        message = f"is for the service account '{policy.service_account}', and for no other"
        raise invalid(_field(POLICY), message)
    return policy


def _kept(issuer: Issuer, policies: IndexedPolicies) -> frozenset[str]:
    """Name the claims that the broker keeps of an issuer's tokens."""
    platform = issuer.platform
    allowed = platform.audit_claims if platform else AUDIT_CLAIMS_WITHOUT_PRESET
    return allowed | policies.named_claims[issuer.name]


def _is_object(name: str, issuer: Issuer, policy_set: PolicySet) -> bool:
    """Tell whether a claim is kept only because conditions look into it."""
    platform = issuer.platform
    if name in (platform.audit_claims if platform else AUDIT_CLAIMS_WITHOUT_PRESET):
        return False
    return not any(each.claim == name for each in _conditions(issuer, policy_set))


def _conditions(issuer: Issuer, policy_set: PolicySet) -> Iterator[Condition]:
    yield from issuer.require
    for service in policy_set.services.values():
        yield from service.require
    for policy in policy_set.policies.values():
        if policy.issuer == issuer.name:
            yield from policy.conditions


def _require_possible(name: str, text: str, having: Sequence[Issuer]) -> None:
    """Refuse a value that none of the issuers with this claim gives it."""
    for possible, must in _RULES:
        if not any(possible(name, text, each) for each in having):
            raise invalid(_field(name), f"must be {must}: no token has anything else there")


def _is_of_issuer(name: str, text: str, issuer: Issuer) -> bool:
    return name != "iss" or text == issuer.url


def _is_audience(name: str, text: str, issuer: Issuer) -> bool:
    return name != "aud" or text in issuer.audiences


def _is_tenant(name: str, text: str, issuer: Issuer) -> bool:
    # Other tokens are refused as `claim_invalid`.
    return name not in issuer.tenant_claims or is_printable_ascii(text)


def _is_number(name: str, text: str, issuer: Issuer) -> bool:
    platform = issuer.platform
    return not (platform and name in platform.decimal_ids) or _DECIMAL.fullmatch(text) is not None


_RULES: Final[Sequence[tuple[Callable[[str, str, Issuer], bool], str]]] = (
    (_is_of_issuer, "the URL of an issuer in the policy files"),
    (_is_audience, "one of the issuer's `audiences`"),
    (_is_tenant, "printable ASCII"),
    (_is_number, "a decimal number, which is not a name or a path"),
)


def _no_claim(name: str, where: Mapping[str, str], issuers: Sequence[Issuer]) -> Exception:
    whose = "of any token"
    if ISSUER in where or POLICY in where:
        whose = f"of tokens of the issuer '{issuers[0].name}'"
    kept = "those of each preset and those that policies name"
    return invalid(
        _field(name),
        f"is no claim that the broker keeps {whose}: it keeps {kept}, beside"
        f" {', '.join(sorted(NO_CLAIMS))}",
    )


def _field(name: str) -> str:
    return f"where.{name[:64]}"
