"""Which texts of a claim decisions tell apart: those that conditions write out, if they write all.

Jobs that differ in nothing else are decided alike: of a branch that no policy names, one decision
is that of every other one.
"""

from collections.abc import Iterable, Iterator, Mapping

from broker.core.claims import fold_ascii
from broker.core.conditions import Condition, Not, Present
from broker.core.policy import Issuer, PolicySet
from broker.core.token_shape import claim_of_job


def texts_told_apart(policy_set: PolicySet, issuer: Issuer) -> Mapping[str, frozenset[str]]:
    """Give, by claim, the texts that decisions on tokens of an issuer tell apart from any other.

    In lower case where the claim ignores case. A claim that a pattern looks at, or of which the
    value itself counts, is not among them.
    """
    found: dict[str, set[str]] = {}
    each_counts = set(_of_which_each_counts(policy_set, issuer))
    for condition in _conditions(policy_set, issuer):
        claim = condition.top_level_claim
        literals = None if condition.is_pointer else _literals(condition)
        if literals is None:
            each_counts.add(claim)
        else:
            texts = map(fold_ascii, literals) if condition.folded else literals
            found.setdefault(claim, set()).update(texts)
    return {claim: frozenset(texts) for claim, texts in found.items() if claim not in each_counts}


def _of_which_each_counts(policy_set: PolicySet, issuer: Issuer) -> Iterator[str]:
    if issuer.platform is not None:
        yield issuer.platform.event_claim
    for account in policy_set.service_accounts.values():
        yield from account.instances
    for service in policy_set.services.values():
        for name in service.shape.workload if service.shape else ():
            yield claim_of_job(name, issuer.platform)


def _conditions(policy_set: PolicySet, issuer: Issuer) -> Iterator[Condition]:
    yield from issuer.require
    for service in policy_set.services.values():
        yield from service.minimum(issuer)
    for policy in policy_set.policies.values():
        if policy.issuer == issuer.name:
            yield from policy.conditions


def _literals(condition: Condition) -> Iterable[str] | None:
    matcher = condition.matcher
    if isinstance(matcher, Present):
        return ()
    if isinstance(matcher, Not):
        return Condition(condition.claim, matcher.inner).literals()
    return condition.literals()
