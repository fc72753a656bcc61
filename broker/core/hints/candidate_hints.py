"""Hints for one allow policy: what keeps it from serving the request, one line for each thing."""

from collections.abc import Iterator

from broker.core.audit import rfc3339
from broker.core.condition_text import Operator, shown, written, yaml_line
from broker.core.hints.grant_hints import not_reached
from broker.core.hints.job_hints import JOB_HINTS
from broker.core.hints.miss import Miss, first_of
from broker.core.hints.policy_hints import POLICY_HINTS
from broker.core.hints.tenant_hints import TENANT_HINTS, TENANT_VERDICTS
from broker.core.judged_policy import Candidate, Case


def hints_of(candidate: Candidate, case: Case) -> list[str]:
    """List what to change so that an allow policy serves the request.

    Nothing for a policy of another tenant: no change to it could serve this token.
    """
    policy = candidate.policy
    misses = [Miss(case, policy.name, policy.conditions, result) for result in candidate.failing]
    for miss in filter(_is_about_tenant, misses):
        verdict = first_of(TENANT_VERDICTS, miss)
        if verdict is not None:
            return [verdict]
    hints = [_hint(miss) for miss in misses]
    if None in hints:
        return []
    return [*filter(None, hints), *_beside_conditions(candidate, case)]


def _hint(miss: Miss) -> str | None:
    if miss.result.operator is Operator.REQUIRE:
        return first_of((*JOB_HINTS, _required), miss)
    if _is_about_tenant(miss):
        return first_of(TENANT_HINTS, miss)
    return first_of(POLICY_HINTS, miss)


def _is_about_tenant(miss: Miss) -> bool:
    if miss.result.operator is Operator.REQUIRE:
        return False
    return miss.result.tenant or miss.claim in miss.case.issuer.tenant_claims


def _required(miss: Miss) -> str:
    issuer = miss.case.issuer
    who = f"issuer {issuer.name}" if miss.result.condition in issuer.require else "the service"
    line = yaml_line(miss.claim, written(miss.matcher))
    return f"{who} requires {line} of every token, and `{miss.claim}` is {miss.shown}"


def _beside_conditions(candidate: Candidate, case: Case) -> Iterator[str]:
    policy = candidate.policy
    if candidate.withheld:
        yield (
            f"policy {policy.name} also asks who started the job, which is not shown here: whoever"
            f" runs the broker can see it"
        )
    if candidate.expired and policy.expires_at is not None:
        day = rfc3339(policy.expires_at).partition("T")[0]
        yield f"policy {policy.name} expired on {day}: give it a later `expires`"
    if candidate.other_account:
        asked = shown(case.request.client_id)
        yield (
            f"policy {policy.name} is for service account {policy.service_account}, not {asked}:"
            f" ask for that one in `client_id`"
        )
    if candidate.other_service:
        yield not_reached(policy, case.request.targets, case.service, case)
