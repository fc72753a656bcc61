"""How near each policy came to a token: which ones are judged, and in what order they are shown.

The nearest first: those that decided, then allow policies whose tenant is the token's, deny
policies that hold, allow policies of other tenants, deny policies that do not hold; among equals
those with the fewest conditions that fail, then by name.
"""

from collections.abc import Iterable

from broker.core.claims import Claims, fold_ascii, text_of
from broker.core.judged_policy import Candidate, Case, ConditionResult, judge
from broker.core.neighbours import MAX_OF_A_KIND
from broker.core.policy import Policy
from broker.core.sub_forms import tenant_in


def considered(case: Case, *, everything: bool) -> Iterable[Policy]:
    """Choose the policies to judge: all of the issuer, or those that hold or are near the token.

    As of the near ones, of those that hold the first by name are taken when they are very many.
    """
    neighbours = case.policies.neighbours(case.issuer)
    if everything:
        return neighbours.every()
    service = case.service
    decisive = [case.policies.policy_set.policies[name] for name in case.decision.policies]
    allowing = case.policies.allowing(case.issuer, case.claims, case.now)
    denying = case.policies.denying(case.issuer, case.claims, case.now)
    near = neighbours.near(case.claims, case.request.client_id, service.name if service else None)
    few = [kind[:MAX_OF_A_KIND] for kind in (decisive, allowing, denying)]
    return {policy.name: policy for kind in (*few, near) for policy in kind}.values()


def ranked(policies: Iterable[Policy], case: Case) -> list[Candidate]:
    """Judge policies and put the nearest first; their order does not matter."""
    decisive = frozenset(case.decision.policies)
    placed = []
    for policy in policies:
        candidate = judge(policy, case)
        group = _group(candidate, case) if policy.name not in decisive else 0
        placed.append((group, candidate.obstacles, policy.name, candidate))
    return [entry[-1] for entry in sorted(placed, key=lambda entry: entry[:-1])]


def _group(candidate: Candidate, case: Case) -> int:
    """Place a candidate that did not decide."""
    if not candidate.allows:
        return 3 if candidate.holds else 5
    tenant = [result for result in candidate.conditions if result.tenant]
    if all(result.holds for result in tenant):
        return 1
    return 2 if any(result.holds or is_same_tenant(result, case) for result in tenant) else 4


def is_same_tenant(result: ConditionResult, case: Case) -> bool:
    """Tell whether a tenant condition that fails still means the token's own tenant.

    The `sub` has another form or context, or the job runs for a fork's merge request in the
    project that is meant.
    """
    claims = case.claims
    if result.claim == "sub":
        return any(names_tenant(text, claims) for text in result.condition.named_literals())
    target = claims.get(f"job_{result.claim}")
    return target is not None and result.condition.holds({result.claim: target})


def names_tenant(sub: str, claims: Claims) -> bool:
    """Tell whether what a policy expects of `sub` begins with the tenant of a token."""
    tenant = tenant_in(sub)
    if tenant is None:
        return False
    claim, text = tenant
    return fold_ascii(text) == fold_ascii(text_of(claims.get(claim)) or "")
