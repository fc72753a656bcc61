"""The audit event of one exchange, from the request to its outcome (contract §6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from broker.core.audit import AuditEvent
from broker.core.claims import Claims, text_of
from broker.core.decision import Decision, Deny, Permit
from broker.core.errors import Reason, Refusal, Unavailable
from broker.core.explain import Explanation
from broker.core.indexed_policies import IndexedPolicies
from broker.core.observation import MAX_NAMED, observe
from broker.core.policy import Issuer, Policy
from broker.core.recorded_claims import RecordedObject, recorded_claims, subject_token_id
from broker.core.subject_token import MAX_SUB_LENGTH
from broker.grants.request import ExchangeRequest


@dataclass(slots=True)
class BegunRecord:
    """What is known once the token's signature holds; `time` in seconds since the epoch."""

    id: str
    time: float
    request: ExchangeRequest
    issuer: Issuer
    subject: str | None
    claims: RecordedObject
    subject_token_id: str | None
    policy_set: str
    observed: Sequence[Policy] = ()
    """The policies that hold, but are observed only."""

    would: dict[str, Any] | None = None
    """What they would make of the decision, as the event has it; once there is one."""

    def ended(self, duration: float, **outcome: Any) -> AuditEvent:  # noqa: ANN401 - members of it
        """Make the event; `duration` in seconds, `outcome` are further members."""
        caller, platform = self.request.caller, self.issuer.platform
        return AuditEvent(
            id=self.id,
            time=self.time,
            request_id=caller.request_id,
            client_address=caller.client_address,
            issuer=self.issuer.name,
            subject=self.subject,
            platform=platform.name if platform else None,
            claims=self.claims,
            claims_left_out=self.claims.left_out,
            requested=self.request.requested(),
            subject_token_id=self.subject_token_id,
            policy_set=self.policy_set,
            observed=tuple(each.name for each in self.observed[:MAX_NAMED])
            if self.observed
            else (),
            duration_ms=round(duration * 1000, 3),
            **outcome,
        )


def begun(
    decision_id: str,
    request: ExchangeRequest,
    policies: IndexedPolicies,
    issuer: Issuer,
    claims: Claims,
    now: float,
) -> BegunRecord:
    """Record what is known once the token's signature holds."""
    return BegunRecord(
        id=decision_id,
        time=now,
        request=request,
        issuer=issuer,
        subject=(text_of(claims.get("sub")) or "")[:MAX_SUB_LENGTH] or None,
        claims=recorded_claims(claims, issuer, policies.named_claims[issuer.name]),
        subject_token_id=subject_token_id(claims),
        policy_set=policies.policy_set.version,
    )


def refused(record: BegunRecord, refusal: Refusal, duration: float) -> AuditEvent:
    """Complete the record of a token refused before the policies; `duration` in seconds."""
    outcome = "error" if isinstance(refusal, Unavailable) else "refused"
    return record.ended(duration, type="token.refused", outcome=outcome, reason=refusal.reason)


def compare(
    record: BegunRecord, decision: Decision, claims: Claims, policies: IndexedPolicies
) -> None:
    """Find out what the observed policies that hold would make of a decision (contract §4)."""
    found = observe(
        decision,
        record.observed,
        claims,
        record.issuer,
        record.request.wanted,
        policies,
        record.time,
        issues=record.request.issues,
    )
    record.would = None if found is None else found.members()


def denied(record: BegunRecord, deny: Deny, duration: float) -> AuditEvent:
    """Complete the record of a refused decision, with the reason that the operator sees."""
    return record.ended(
        duration,
        type="token.refused",
        outcome="refused",
        reason=deny.reason,
        policies=deny.policies,
        target=deny.block,
        would=record.would,
    )


def explained(record: BegunRecord, explanation: Explanation, duration: float) -> AuditEvent:
    """Complete the record of a decision that was only explained; nothing was granted."""
    decision = explanation.case.decision
    return record.ended(
        duration,
        type="token.explained",
        outcome="success",
        reason=decision.reason if isinstance(decision, Deny) else None,
        policies=decision.policies,
        target=decision.block if isinstance(decision, Deny) else None,
        would=record.would,
    )


def granted(record: BegunRecord, permit: Permit, token_id: str, duration: float) -> AuditEvent:
    """Complete the record of a permitted exchange; `duration` in seconds."""
    return record.ended(
        duration,
        type="token.exchanged",
        outcome="success",
        service_account=permit.service_account.client_id,
        sub=permit.sub,
        policies=permit.policies,
        audience=permit.service.audience,
        scopes=permit.scopes,
        ttl=permit.ttl,
        token_id=token_id,
        would=record.would,
    )


def spent(record: BegunRecord, duration: float) -> AuditEvent:
    """Complete the record of a token that was used before."""
    return record.ended(
        duration, type="token.refused", outcome="refused", reason=Reason.TOKEN_ALREADY_USED
    )
