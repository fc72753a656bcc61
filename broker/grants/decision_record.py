"""The audit event of one exchange, from the request to its outcome (contract §6)."""

from dataclasses import replace

from broker.core import audit
from broker.core.audit import AuditEvent
from broker.core.claims import Claims, text_of
from broker.core.decision import Deny, IndexedPolicies, Permit
from broker.core.errors import Reason, Refusal, Unavailable
from broker.core.explain import Explanation
from broker.core.policy import Issuer
from broker.core.subject_token import MAX_SUB_LENGTH
from broker.grants.request import ExchangeRequest


def begun(
    decision_id: str,
    request: ExchangeRequest,
    policies: IndexedPolicies,
    issuer: Issuer,
    claims: Claims,
    now: float,
) -> AuditEvent:
    """Record what is known once the token's signature holds."""
    return AuditEvent(
        id=decision_id,
        time=now,
        type="token.refused",
        outcome="refused",
        request_id=request.caller.request_id,
        client_address=request.caller.client_address,
        issuer=issuer.name,
        subject=(text_of(claims.get("sub")) or "")[:MAX_SUB_LENGTH] or None,
        platform=issuer.platform.name if issuer.platform else None,
        claims=audit.recorded_claims(claims, issuer, policies.named_claims[issuer.name]),
        requested=request.requested(),
        subject_token_id=audit.subject_token_id(claims),
        policy_set=policies.policy_set.version,
    )


def refused(event: AuditEvent, refusal: Refusal, duration: float) -> AuditEvent:
    """Complete the record of a token refused before the policies; `duration` in seconds."""
    outcome = "error" if isinstance(refusal, Unavailable) else "refused"
    milliseconds = _milliseconds(duration)
    return replace(event, outcome=outcome, reason=refusal.reason, duration_ms=milliseconds)


def observed(
    event: AuditEvent, policies: IndexedPolicies, issuer: Issuer, claims: Claims
) -> AuditEvent:
    """Record the policies that would count too, were they not only observed (contract §4)."""
    holding = policies.observed(issuer, claims, event.time)
    return replace(event, observed=tuple(each.name for each in holding)) if holding else event


def denied(event: AuditEvent, deny: Deny, duration: float) -> AuditEvent:
    """Complete the record of a refused decision, with the reason that the operator sees."""
    milliseconds = _milliseconds(duration)
    return replace(event, reason=deny.reason, policies=deny.policies, duration_ms=milliseconds)


def explained(event: AuditEvent, explanation: Explanation, duration: float) -> AuditEvent:
    """Complete the record of a decision that was only explained; nothing was granted."""
    decision = explanation.case.decision
    return replace(
        event,
        type="token.explained",
        outcome="success",
        reason=decision.reason if isinstance(decision, Deny) else None,
        policies=decision.policies,
        duration_ms=_milliseconds(duration),
    )


def granted(event: AuditEvent, permit: Permit, token_id: str, duration: float) -> AuditEvent:
    """Complete the record of a permitted exchange; `duration` in seconds."""
    return replace(
        event,
        type="token.exchanged",
        outcome="success",
        service_account=permit.service_account.client_id,
        sub=permit.sub,
        policies=permit.policies,
        audience=permit.service.audience,
        scopes=permit.scopes,
        ttl=permit.ttl,
        token_id=token_id,
        duration_ms=_milliseconds(duration),
    )


def spent(event: AuditEvent, duration: float) -> AuditEvent:
    """Complete the record of a token that was used before."""
    return replace(event, reason=Reason.TOKEN_ALREADY_USED, duration_ms=_milliseconds(duration))


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
