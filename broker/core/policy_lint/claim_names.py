"""Lints about the names of claims: one that no token has satisfies nothing, a denial included."""

from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from broker.core.conditions import Condition, Effect, Not
from broker.core.platforms import PRESETS, Platform
from broker.core.policy import Policy
from broker.core.policy_lint.lint import Remark
from broker.core.policy_lint.linted_set import LintedSet

# One letter of a short name; platforms add claims, so that other names may well be right.
_NEAR: Final = 0.88


def claim_unknown(linted: LintedSet) -> Iterator[Remark]:
    """Find claims that are almost one of the platform, or one of another platform alone."""
    policy_set = linted.policy_set
    for name, issuer in policy_set.issuers.items():
        for each in issuer.require:
            if why := _fault_on(each.claim, issuer.platform):
                message = f"{why}. No token of this issuer is taken"
                yield Remark(("issuers", name, "require", each.claim), message, at_key=True)
    for name, policy in policy_set.policies.items():
        platform = policy_set.issuers[policy.issuer].platform
        for each in policy.conditions:
            if why := _fault_on(each.claim, platform):
                message = f"{why}. {_effect(policy, each)}"
                yield Remark(("policies", name, "match", each.claim), message, at_key=True)


def _effect(policy: Policy, condition: Condition) -> str:
    """Say what a policy does that has a condition on an absent claim."""
    if policy.effect is Effect.ALLOW:
        return "As it is, the policy permits nobody"
    if isinstance(condition.matcher, Not):
        return "As it is, the condition holds for everybody"
    return "As it is, the policy denies nobody"


def _fault_on(claim: str, platform: Platform | None) -> str | None:
    """Say why a name is hardly one of the platform's claims, and which may be meant."""
    if platform is None or claim in platform.audit_claims or claim.startswith("/"):
        return None
    return _fault(claim, platform.name)


# To look for what is near takes a millisecond, and many policies have the same names.
@lru_cache(maxsize=1024)
def _fault(claim: str, platform_name: str) -> str | None:
    platform = PRESETS[platform_name]
    known = platform.audit_claims
    near = get_close_matches(claim, sorted(known), n=1, cutoff=_NEAR)
    if near:
        return f"{platform.name} writes no claim `{claim}`; did you mean `{near[0]}`?"
    others = [each.name for each in PRESETS.values() if claim in each.audit_claims]
    if others:
        return f"{platform.name} writes no claim `{claim}`: it is one of {', '.join(others)}"
    return None
