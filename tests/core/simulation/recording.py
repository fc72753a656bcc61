"""Decisions on record, made as the broker makes them, and what other policies make of them."""

from dataclasses import replace
from typing import Any

from broker.core import client
from broker.core.audit import AuditEvent
from broker.core.blocks import NO_BLOCKS
from broker.core.decision import DecisionRequest, Deny, Permit, decide
from broker.core.explain import explain
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import PolicySet
from broker.core.simulation.simulation import Simulation
from broker.core.simulation.tally import Report
from broker.grants import decision_record
from broker.grants.request import Caller, ExchangeRequest, requested
from tests.core.builders import NOW, a_policy_set, github_claims, gitlab_claims, other_claims

THEN = "1" * 64
NOW_SET = "2" * 64
DEPLOY = DecisionRequest(("deploy-api",))


def then(*policies: Any, **more: Any) -> PolicySet:
    """The set of a decision on record."""
    return replace(a_policy_set(*policies, **more), version=THEN)


def now(*policies: Any, **more: Any) -> PolicySet:
    """The set that decides once more."""
    return replace(a_policy_set(*policies, **more), version=NOW_SET)


def recorded(
    policy_set: PolicySet,
    request: DecisionRequest = DEPLOY,
    *,
    issuer: str = "github",
    at: float = NOW,
    explained: bool = False,
    **claims: Any,
) -> dict[str, Any]:
    """Give the event of a job's decision as JSON members."""
    makers = {"github": github_claims, "gitlab": gitlab_claims}
    token = makers[issuer](**claims) if issuer in makers else other_claims(issuer, **claims)
    trusted, policies = policy_set.issuers[issuer], IndexedPolicies.of(policy_set)
    exchange = ExchangeRequest("", request, Caller("request"))
    begun = decision_record.begun("decision", exchange, policies, trusted, token, at)
    begun.observed = policies.observed(trusted, token, at)
    if explained:
        explanation = explain(token, trusted, request, policies, at)
        decision_record.compare(begun, explanation.case.decision, token, policies)
        return decision_record.explained(begun, explanation, 0).members()
    decision = decide(token, trusted, request, policies, at)
    decision_record.compare(begun, decision, token, policies)
    if isinstance(decision, Deny):
        return decision_record.denied(begun, decision, 0).members()
    return decision_record.granted(begun, decision, "token", 0).members()


def recorded_client(
    policy_set: PolicySet, client_id: str, request: DecisionRequest = DEPLOY
) -> dict[str, Any]:
    """Give the event of an account that asked with credentials of its own, as JSON members."""
    account = policy_set.service_accounts[client_id]
    decision = client.decide(account, request, policy_set, NO_BLOCKS, NOW)
    event = AuditEvent(
        id="decision",
        time=NOW,
        type="token.refused",
        outcome="refused",
        service_account=client_id,
        requested=requested(request),
        policy_set=policy_set.version,
    )
    if isinstance(decision, Permit):
        event = replace(
            event,
            type="token.issued",
            outcome="success",
            sub=decision.sub,
            audience=decision.service.audience,
            scopes=decision.scopes,
            ttl=decision.ttl,
        )
    else:
        event = replace(event, reason=decision.reason)
    return event.members()


def simulated(policy_set: PolicySet, *events: dict[str, Any], **more: Any) -> Report:
    """Decide events once more."""
    simulation = Simulation(IndexedPolicies.of(policy_set), **more)
    for event in events:
        simulation.take(event)
    return simulation.report()


def kinds(report: Report) -> dict[str, int]:
    """Give the counts that are not 0."""
    return {kind.value: count for kind, count in report.counts.items() if count}
