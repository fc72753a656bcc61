"""What to change so that a refused request passes, by the reason of the refusal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from broker.core.claims import text_of
from broker.core.condition_text import shown, yaml_line
from broker.core.decision import Deny, Permit, decide
from broker.core.errors import Reason
from broker.core.hints.candidate_hints import hints_of
from broker.core.hints.grant_hints import scopes_available, services_available
from broker.core.instances import MAX_SUB_BYTES, is_instance_value
from broker.core.judged_policy import Candidate, Case, with_expiry
from broker.core.observation import WithObserved
from broker.core.personal_claims import is_personal
from broker.core.policy import Policy
from broker.core.refusal_text import template_text

MAX_CANDIDATES_TRIED: Final = 20
MAX_OBSERVED_TRIED: Final = 5


def fix_for(case: Case, candidates: Sequence[Candidate]) -> str | None:
    """Say what to change, one line for each change; None when there is nothing to say.

    `candidates`, nearest first, are those that whoever is told may see.
    """
    deny = case.decision
    if not isinstance(deny, Deny):
        return None
    reason = deny.reason if case.to_operator else deny.public_reason
    hints = _BY_REASON.get(reason)
    lines = hints(case, deny, candidates) if hints else ()
    return "\n".join(dict.fromkeys(lines)) or None


def _no_policy(case: Case, _deny: Deny, candidates: Sequence[Candidate]) -> Iterator[str]:
    allows = [each for each in candidates if each.allows]
    observed = [each for each in allows if each.observed and each.holds and not each.obstacles]
    if observed:
        yield _enforced(case, observed[:MAX_OBSERVED_TRIED])
        return
    enforced = [each for each in allows if not each.observed]
    for candidate in enforced[:MAX_CANDIDATES_TRIED]:
        hints = hints_of(candidate, case)
        if hints:
            yield from hints
            return
    if case.to_operator:
        yield from _new_policy(case)


def _enforced(case: Case, observed: Sequence[Candidate]) -> str:
    """Say what one of these policies would come to, were it enforced beside those that are.

    By itself: to be told of no other that is observed, one has to be able to see it.
    """
    claims = with_expiry(case.claims, case.issuer, case.now)
    line = yaml_line("mode", "enforce")
    refused = ""
    for candidate in observed:
        policies = WithObserved(case.policies, [candidate.policy])
        decision = decide(claims, case.issuer, case.request, policies, case.now)
        if isinstance(decision, Permit):
            return f"policy {candidate.policy.name} would permit this with {line}"
        reason = decision.reason if case.to_operator else decision.public_reason
        counts = f"policy {candidate.policy.name} would count with {line}"
        refused = refused or f"{counts}, and then this is {reason}"
    return refused


def _new_policy(case: Case) -> Iterator[str]:
    """Say what a policy of this token's tenant would begin with."""
    for claim in case.issuer.tenant_claims:
        text = text_of(case.claims.get(claim))
        if text is not None:
            line = yaml_line(claim, text)
            yield f"no policy is for the tenant of this token: one would begin with {line}"
            return


def _denied(case: Case, deny: Deny, candidates: Sequence[Candidate]) -> Iterator[str]:
    if not case.to_operator:
        yield "a deny policy forbids this: whoever runs the broker can see which one"
        return
    for candidate in candidates:
        if candidate.policy.name in deny.policies:
            has = [f"`{each.claim}` is {shown(each.value)}" for each in candidate.conditions]
            reads = f"deny policy {candidate.policy.name} holds, for {' and '.join(has)}"
            yield f"{reads}: narrow it only if this job is meant to pass"


def _target(case: Case, _deny: Deny, candidates: Sequence[Candidate]) -> Iterator[str]:
    serving = [each.policy for each in candidates if each.serves]
    if serving:
        yield from services_available(case, serving)


def _scope(case: Case, deny: Deny, candidates: Sequence[Candidate]) -> Iterator[str]:
    serving = _policies(case, deny)
    service = case.service_of(serving[0])
    if service is not None and any(each.policy.name in deny.policies for each in candidates):
        yield from scopes_available(case, serving, service)


def _ambiguous(_case: Case, deny: Deny, _candidates: Sequence[Candidate]) -> Iterator[str]:
    choice = ", ".join(deny.service_accounts)
    yield f"several service accounts fit: name one of {choice} in `client_id`"


def _account(case: Case, deny: Deny, candidates: Sequence[Candidate]) -> Iterator[str]:
    if not any(each.policy.name in deny.policies for each in candidates):
        return
    client_id = _policies(case, deny)[0].service_account
    if not case.to_operator:
        yield f"service account {client_id} is switched off or does not exist"
    elif client_id in case.policies.policy_set.service_accounts:
        line = yaml_line("enabled", "true")
        yield f"service account {client_id} is switched off: it acts again with {line}"
    else:
        yield f"there is no service account {client_id}: create it, or name another one"


def _claim(case: Case, deny: Deny, candidates: Sequence[Candidate]) -> Iterator[str]:
    if deny.template is not None:
        if case.to_operator or deny.template_told:
            yield template_text(deny.template)
    elif any(each.policy.name in deny.policies for each in candidates):
        yield from _instance(case, deny)


def _instance(case: Case, deny: Deny) -> Iterator[str]:
    client_id = _policies(case, deny)[0].service_account or ""
    account = case.policies.policy_set.service_accounts[client_id]
    bad = [each for each in account.instances if not is_instance_value(case.claims.get(each))]
    for claim in bad:
        value = case.claims.get(claim)
        told = case.to_operator or not is_personal(claim, value)
        yield (
            f"service account {client_id} has one instance for each `{claim}`, and it is"
            f" {shown(value) if told else 'not fit'}: only A-Z a-z 0-9 . _ - can be part of a `sub`"
        )
    if not bad:
        claims = ", ".join(f"`{claim}`" for claim in account.instances)
        who = f"service account {client_id} with {claims}"
        yield f"the `sub` of {who} would be over {MAX_SUB_BYTES} bytes"


def _blocked(case: Case, deny: Deny, _candidates: Sequence[Candidate]) -> Iterator[str]:
    if case.to_operator:
        yield f"block {deny.detail} holds for this token: lift it, or wait until it is over"
    else:
        yield f"this is blocked for now ({deny.detail}): ask whoever runs the broker"


def _policies(case: Case, deny: Deny) -> list[Policy]:
    return [case.policies.policy_set.policies[name] for name in deny.policies]


_BY_REASON: Final[Mapping[Reason, Callable[[Case, Deny, Sequence[Candidate]], Iterator[str]]]] = {
    Reason.BLOCKED: _blocked,
    Reason.NO_POLICY_MATCHED: _no_policy,
    Reason.DENIED_BY_POLICY: _denied,
    Reason.TARGET_UNKNOWN: _target,
    Reason.TARGET_REQUIRED: _target,
    Reason.SCOPE_NOT_ALLOWED: _scope,
    Reason.AMBIGUOUS_ACCOUNT: _ambiguous,
    Reason.ACCOUNT_DISABLED: _account,
    Reason.CLAIM_INVALID: _claim,
}
