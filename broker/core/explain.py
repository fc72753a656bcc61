"""The explanation of a decision: what was decided, how near each policy came, and what to change.

A pure function of the same inputs as the decision, which it takes from `decide` itself, so that the
two can never differ. It is made only when asked for, on the policies near the token (attacks row
180), and shown on two levels (contract §5): an operator sees everything, a caller what
`for_caller` leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from broker.core.claims import Claims
from broker.core.conditions import Effect, all_hold
from broker.core.decision import Decision, DecisionRequest, Permit, decide
from broker.core.hints.decision_hints import fix_for
from broker.core.holding import visible_to_caller
from broker.core.indexed_policies import IndexedPolicies
from broker.core.judged_policy import Candidate, Case, with_expiry
from broker.core.nearness import considered, ranked
from broker.core.observation import MAX_NAMED, Observation, observe
from broker.core.personal_claims import is_personal
from broker.core.policy import Issuer
from broker.core.tenant_floor import is_tenant_condition

MAX_CANDIDATES: Final = 20


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with its reasons. `ttl` is in seconds; what was not granted is None."""

    decision: str
    """`permit` or `deny`."""

    reason: str | None
    service_account: str | None
    sub: str | None
    audience: str | None
    scopes: tuple[str, ...] | None
    ttl: int | None
    candidates: tuple[Candidate, ...]
    """Nearest first."""

    fix: str | None
    """What to change, one line for each change."""

    case: Case = field(repr=False, compare=False)
    ranking: Sequence[Candidate] = field(repr=False, compare=False)
    """Every policy that was judged, also those over the limit and those only observed."""

    def observed(self) -> tuple[tuple[str, ...], Observation | None]:
        """Name the observed policies that hold, and say what they would make of the decision.

        None for a caller, who learns of policies that count alone (contract §5).
        """
        case = self.case
        if not case.to_operator:
            return (), None
        held = case.policies.observed(case.issuer, case.claims, case.now)
        found = observe(
            case.decision,
            held,
            with_expiry(case.claims, case.issuer, case.now),
            case.issuer,
            case.request,
            case.policies,
            case.now,
        )
        return tuple(each.name for each in held[:MAX_NAMED]), found

    def as_json(self) -> dict[str, Any]:
        """Give the members of contract §2, and beside them what observed policies would change."""
        members: dict[str, Any] = {
            "decision": self.decision,
            "reason": self.reason,
            "service_account": self.service_account,
            "sub": self.sub,
            "audience": self.audience,
            "scopes": None if self.scopes is None else list(self.scopes),
            "ttl": self.ttl,
            "candidates": [candidate.as_json() for candidate in self.candidates],
        }
        if self.fix is not None:
            members["fix"] = self.fix
        observed, observation = self.observed()
        if observation is not None:
            members |= {"observed": list(observed), "would": observation.members()}
        return members


def explain(
    claims: Claims,
    issuer: Issuer,
    request: DecisionRequest,
    policies: IndexedPolicies,
    now: float,
    *,
    everything: bool = False,
) -> Explanation:
    """Explain the decision on a request, for an operator.

    `now` is in seconds since the epoch. Claims without `exp`, as people write them down, are those
    of a token that has just been made. `everything` judges every policy of the issuer and keeps
    them all; otherwise those near the token are judged and the nearest 20 kept.
    """
    decision = decide(with_expiry(claims, issuer, now), issuer, request, policies, now)
    case = Case(claims, issuer, request, policies, now, decision)
    ranking = ranked(considered(case, everything=everything), case)
    return _explanation(case, ranking, None if everything else MAX_CANDIDATES)


def for_caller(explanation: Explanation) -> Explanation:
    """Keep what the owner of the token may see (contract §5, attacks rows 59, 172, 176).

    Of the policies only allows whose tenant conditions all hold for the token, of these only what
    fails, and nothing that tells of a person. Doing it twice changes nothing.
    """
    case = replace(explanation.case, to_operator=False)
    visible = [_reduced(each) for each in explanation.ranking if _is_visible(each, case)]
    return _explanation(case, visible, MAX_CANDIDATES)


def failing_conditions_for_caller(explanation: Explanation) -> list[dict[str, object]]:
    """Give the failing conditions of the nearest policy that the caller may see, for error bodies.

    The objects are those of the explanation's JSON; none when no policy came near visibly.
    """
    nearest = for_caller(explanation).candidates[:1]
    return [result.as_json() for candidate in nearest for result in candidate.failing]


def _explanation(case: Case, ranking: Sequence[Candidate], limit: int | None) -> Explanation:
    counting = [candidate for candidate in ranking if not candidate.observed]
    candidates = tuple(counting[:limit])
    fix = fix_for(case, ranking)
    decision: Decision = case.decision
    if isinstance(decision, Permit):
        return Explanation(
            decision="permit",
            reason=None,
            service_account=decision.service_account.client_id,
            sub=decision.sub,
            audience=decision.service.audience,
            scopes=decision.scopes,
            ttl=decision.ttl,
            candidates=candidates,
            fix=fix,
            case=case,
            ranking=ranking,
        )
    return Explanation(
        decision="deny",
        reason=(decision.reason if case.to_operator else decision.public_reason).value,
        service_account=None,
        sub=None,
        audience=None,
        scopes=None,
        ttl=None,
        candidates=candidates,
        fix=fix,
        case=case,
        ranking=ranking,
    )


def _is_visible(candidate: Candidate, case: Case) -> bool:
    """Tell whether a caller may know of a policy: it is visibly meant for its own tenant.

    A tenant that the issuer requires of every token counts as well: who merely took over a name
    learns nothing of the policies of its former owner.
    """
    required = [each for each in case.issuer.require if is_tenant_condition(each, case.issuer)]
    return (
        candidate.allows
        and visible_to_caller(candidate.policy, case.issuer, case.claims)
        and all_hold(required, case.claims, Effect.ALLOW)
    )


def _reduced(candidate: Candidate) -> Candidate:
    shown = tuple(
        result for result in candidate.failing if not is_personal(result.claim, result.value)
    )
    withheld = candidate.withheld or len(shown) < len(candidate.failing)
    return replace(candidate, conditions=shown, withheld=withheld)
