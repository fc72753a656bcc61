"""What a job can get: every service and account, asked of the ordinary decision."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from broker.core.claims import Claims
from broker.core.condition_text import shown
from broker.core.decision import Decision, DecisionRequest, Deny, Permit, decide
from broker.core.errors import Reason
from broker.core.indexed_policies import IndexedPolicies
from broker.core.indexed_policies import granted as granted_by
from broker.core.judged_policy import with_expiry
from broker.core.policy import Issuer


@dataclass(frozen=True, slots=True)
class JobAccess:
    """The decision on one service and one account, for the claims of one job."""

    service: str
    service_account: str
    decision: Decision
    must_name_account: bool
    """Whether the job gets it only when it names the account (`client_id`)."""

    def as_json(self) -> dict[str, Any]:
        """Give the decision as JSON members; null is what a refusal does not have."""
        decision = self.decision
        permit = decision if isinstance(decision, Permit) else None
        return {
            "service": self.service,
            "service_account": self.service_account,
            "decision": "deny" if permit is None else "permit",
            "reason": decision.reason.value if isinstance(decision, Deny) else None,
            "policies": list(decision.policies),
            "sub": None if permit is None else permit.sub,
            "scopes": None if permit is None else list(permit.scopes),
            "ttl": None if permit is None else permit.ttl,
            "must_name_account": self.must_name_account,
        }


def access_of_job(
    claims: Claims, issuer: Issuer, policies: IndexedPolicies, now: float
) -> tuple[JobAccess, ...]:
    """Decide for every service and account that a policy which holds could give; by name.

    `now` is in seconds since the epoch. Claims without `exp` are those of a token just made.
    """
    return tuple(_decided(with_expiry(claims, issuer, now), issuer, policies, now))


def _decided(
    claims: Claims, issuer: Issuer, policies: IndexedPolicies, now: float
) -> Iterator[JobAccess]:
    reached = {
        (service, policy.service_account or "")
        for policy in policies.allowing(issuer, claims, now)
        for service in granted_by(policy, policies.policy_set)
    }
    for service, account in sorted(reached):
        request = DecisionRequest(targets=(service,), client_id=account)
        decision = decide(claims, issuer, request, policies, now)
        alone = decide(claims, issuer, DecisionRequest(targets=(service,)), policies, now)
        ambiguous = isinstance(alone, Deny) and alone.reason is Reason.AMBIGUOUS_ACCOUNT
        yield JobAccess(
            service, account, decision, must_name_account=ambiguous and isinstance(decision, Permit)
        )


def render_job(accesses: tuple[JobAccess, ...]) -> Iterator[str]:
    """Write what a job can get as lines, without line feeds."""
    for each in accesses:
        decision = each.decision
        by = ", ".join(map(shown, decision.policies))
        if isinstance(decision, Permit):
            scopes = " ".join(map(shown, decision.scopes)) or "(no scope)"
            named = "; the account has to be named" if each.must_name_account else ""
            yield f"{shown(each.service)}  {scopes}  as {shown(decision.sub)}, by {by}{named}"
        else:
            told = f" ({by})" if by else ""
            account = shown(each.service_account)
            yield f"{shown(each.service)}  refused  as {account}: {decision.reason}{told}"
    if not accesses:
        yield "nothing: no policy holds for these claims"
