"""What a refused caller is told once its token's signature holds (contract §5, second level).

Its own claims and what it asked for; never a policy that is not visibly its own.
"""

from collections.abc import Iterator

from broker.core.claims import Claims, text_of
from broker.core.decision import DecisionRequest, Deny
from broker.core.errors import Reason
from broker.core.policy import Issuer
from broker.core.shaped_claims import TemplateFault


def describe(deny: Deny, request: DecisionRequest, claims: Claims, issuer: Issuer) -> str:
    """Say in one sentence why a verified token was refused and what may be done."""
    asked = " ".join(f"'{target}'" for target in request.targets)
    match deny.public_reason:
        case Reason.NO_POLICY_MATCHED:
            account = f" for service account '{request.client_id}'" if request.client_id else ""
            own = ", ".join(_own(claims, issuer)) or "no claim that policies usually name"
            return (
                f"no trust policy of issuer '{issuer.name}' permits this token{account}: it has"
                f" {own}; whoever runs the broker can look up the decision_id"
            )
        case Reason.DENIED_BY_POLICY:
            return "a deny policy forbids it"
        case Reason.TARGET_UNKNOWN:
            return f"{asked} is not one service that the policies of this token grant"
        case Reason.TARGET_REQUIRED:
            return "name the service wanted in 'audience'; the policies do not leave exactly one"
        case Reason.AMBIGUOUS_ACCOUNT:
            accounts = _names(deny.service_accounts)
            return f"several service accounts fit; name one of {accounts} in 'client_id'"
        case Reason.BLOCKED:
            return (
                "whoever runs the broker has blocked what this token stands for"
                f" (block {deny.detail}); ask them"
            )
        case Reason.ACCOUNT_DISABLED:
            return "the service account is switched off or does not exist"
        case Reason.SCOPE_NOT_ALLOWED if not deny.detail:
            return "its policies and its service account have no scope of this service in common"
        case Reason.SCOPE_NOT_ALLOWED:
            return f"scope '{deny.detail}' is not available to this token at this service"
        case _ if deny.template is not None and deny.template_told:
            return template_text(deny.template)
        case _ if deny.template is not None:
            return (
                "a claim that tokens of this service carry cannot be filled in; whoever runs the"
                " broker can look up the decision_id"
            )
        case _:
            return "a claim that names the instance is missing or outside [A-Za-z0-9._-]{1,100}"


def template_text(fault: TemplateFault) -> str:
    """Say which template of a service cannot be filled in, why, and what to change."""
    return f"{fault}; {fault.fix}"


def _own(claims: Claims, issuer: Issuer) -> Iterator[str]:
    names = issuer.platform.told if issuer.platform else ("sub",)
    for name in names:
        text = text_of(claims.get(name))
        if text is not None:
            yield f"{name} '{text[:200]}'"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)
