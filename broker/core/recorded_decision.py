"""An old decision, explained from what the audit recorded of it (contract §5).

The explanation is computed anew from the recorded claims and the policy set of that moment. What
is not on record is named, and a result other than the recorded one is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from broker.core.accounts_in_force import accounts_named, with_accounts
from broker.core.condition_text import shown
from broker.core.decision import DecisionRequest
from broker.core.errors import Reason
from broker.core.explain import Explanation, explain
from broker.core.indexed_policies import IndexedPolicies
from broker.core.managed_account import AccountOverride, ManagedAccount
from broker.core.policy import PolicySet

_BEFORE_THE_POLICIES: Final = frozenset({
    Reason.TOKEN_EXPIRED, Reason.TOKEN_NOT_YET_VALID, Reason.TOKEN_LIFETIME_TOO_LONG,
    Reason.AUDIENCE_MISMATCH, Reason.CLAIM_INVALID,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """An event of the audit, explained as far as that is possible."""

    explanation: Explanation | None
    """None when there is nothing to explain, or no longer anything to explain it by."""

    notes: tuple[str, ...]
    """What a reader has to know about the explanation, or why there is none; sentences."""


def needed_policy_set(event: Mapping[str, Any]) -> str | None:
    """Name the policy set that an event is explained by; None when none would help."""
    version = event["policy_set"]
    return version if isinstance(version, str) and _obstacle(event) is None else None


def explain_event(
    event: Mapping[str, Any],
    policy_set: PolicySet | None,
    managed: Sequence[ManagedAccount] = (),
    overrides: Sequence[AccountOverride] = (),
    *,
    everything: bool = False,
) -> RecordedDecision:
    """Explain an event, given as JSON members, by the set it names; None when that is gone.

    What the store says of accounts is not kept with the set: `managed` and `overrides` are those of
    now. `everything` judges every policy of the issuer, not the nearest ones alone.
    """
    obstacle = _obstacle(event)
    if obstacle is not None:
        return RecordedDecision(None, (obstacle,))
    if policy_set is None:
        return RecordedDecision(
            None, (f"the policy set {event['policy_set']} of that moment is no longer kept",)
        )
    issuer = policy_set.issuers.get(event["issuer"])
    if issuer is None:
        return RecordedDecision(None, ("the policy set of that moment has no such issuer",))
    claims = event["claims"]
    now = datetime.fromisoformat(event["time"]).timestamp()
    policies = IndexedPolicies.of(with_accounts(policy_set, managed, overrides, now))
    explanation = explain(claims, issuer, _request(event), policies, now, everything=everything)
    notes = []
    missing = sorted(policies.named_claims[issuer.name] - claims.keys())
    if missing:
        notes.append(
            f"not on record, because the token had none or it was too large: {', '.join(missing)}"
        )
    of_store = accounts_named(policy_set) | {each.client_id for each in overrides}
    judged = sorted(of_store & _accounts_of(explanation))
    if judged:
        notes.append(f"what the store says of accounts is as of now: {', '.join(judged)}")
    if event["reason"] == Reason.BLOCKED:
        notes.append(
            f"the token was blocked ({shown(event['target'])}) whatever the policies say; this is"
            " what they would have said"
        )
    elif event["reason"] in _BEFORE_THE_POLICIES and explanation.reason != event["reason"]:
        notes.append(
            f"the token was refused before any policy was asked ({event['reason']}); this is what"
            " the policies would have said"
        )
    elif event["reason"] == Reason.TOKEN_ALREADY_USED:
        notes.append("the policies permitted it, but the token had been used before")
    elif event["reason"] == Reason.UNSUPPORTED_TOKEN_TYPE:
        notes.append(
            "the policies permitted it, but the request asked for a type of token that the service"
            " has not (`requested_token_type`)"
        )
    elif not _agrees(explanation, event):
        notes.append(
            f"computed anew the decision is another one than the recorded {_recorded(event)}:"
            " something that it hung on is not on record"
        )
    return RecordedDecision(explanation, tuple(notes))


def _obstacle(event: Mapping[str, Any]) -> str | None:
    """Say why an event cannot be explained, whatever policy set there is."""
    if event["count"] is not None:
        refusals = "refusal" if event["count"] == 1 else "refusals"
        return (
            f"this event counts {event['count']} {refusals} of before any signature held; nothing"
            " that such a request says is recorded"
        )
    if "claims_erased" in event:
        return "the claims were erased, so that the decision cannot be computed anew"
    if event["claims"] is None and event["requested"] is not None:
        return (
            "a client asked with credentials of its own: policies have no say, the grants of its"
            f" account decide (`broker accounts show {shown(event['service_account'])}`)"
        )
    if event["claims"] is None or event["requested"] is None:
        return "this event is no decision by policies"
    return None


def _accounts_of(explanation: Explanation) -> set[str | None]:
    """Name the accounts that the decision could hang on: those of the policies that hold."""
    return {each.policy.service_account for each in explanation.ranking if each.serves}


def _request(event: Mapping[str, Any]) -> DecisionRequest:
    requested = event["requested"]
    scope = requested.get("scope")
    return DecisionRequest(
        targets=tuple(requested.get("audience") or ()),
        scopes=None if scope is None else tuple(scope.split(" ")),
        client_id=requested.get("client_id"),
        expires_in=requested.get("expires_in"),
    )


def _agrees(explanation: Explanation, event: Mapping[str, Any]) -> bool:
    if explanation.reason != event["reason"]:
        return False
    if event["type"] != "token.exchanged":
        return True
    scopes = None if explanation.scopes is None else list(explanation.scopes)
    return (explanation.sub, explanation.audience, scopes) == (
        event["sub"],
        event["audience"],
        event["scopes"],
    )


def _recorded(event: Mapping[str, Any]) -> str:
    return event["reason"] or "permit"
