"""An old decision, explained from what the audit recorded of it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.accounts_in_force import with_accounts
from broker.core.audit import AuditEvent
from broker.core.decision import DecisionRequest, Permit, decide
from broker.core.indexed_policies import IndexedPolicies
from broker.core.managed_account import AccountOverride
from broker.core.policy import PolicySet
from broker.core.recorded_claims import recorded_claims
from broker.core.recorded_decision import RecordedDecision, explain_event, needed_policy_set
from broker.grants import decision_record
from broker.grants.request import Caller, ExchangeRequest
from tests.client_secrets import an_account as a_managed_account
from tests.core.builders import NOW, a_policy, a_policy_set, an_account, an_issuer, github_claims

POLICIES = a_policy_set(
    a_policy("web", {"repository": "acme/web", "ref": "refs/heads/main"}),
    a_policy("other", {"repository": "acme/other", "deployment": "x"}),
)
REQUEST = DecisionRequest(("deploy-api",), scopes=("deploy:read",), expires_in=300)


def recorded(
    policies: PolicySet = POLICIES, request: DecisionRequest = REQUEST, **claims: Any
) -> dict[str, Any]:
    """Record a decision as the broker does."""
    indexed = IndexedPolicies.of(policies)
    issuer = policies.issuers["github"]
    token = {"exp": NOW + 300, **github_claims(), **claims}
    exchange = ExchangeRequest("", request, Caller("request"))
    event = decision_record.begun("id", exchange, indexed, issuer, token, NOW)
    decision = decide(token, issuer, request, indexed, NOW)
    event.observed = indexed.observed(issuer, token, NOW)
    decision_record.compare(event, decision, token, indexed)
    if isinstance(decision, Permit):
        return decision_record.granted(event, decision, "token", 0).members()
    return decision_record.denied(event, decision, 0).members()


def explained(event: dict[str, Any], policies: PolicySet | None = POLICIES) -> RecordedDecision:
    return explain_event(event, policies)


def test_a_refusal_is_explained_as_it_was_decided() -> None:
    event = recorded(ref="refs/heads/x")
    told = explained(event)

    assert told.explanation is not None
    assert (told.explanation.reason, event["reason"]) == ("no_policy_matched", "no_policy_matched")
    [failing] = told.explanation.candidates[0].failing
    assert (failing.claim, failing.value) == ("ref", "refs/heads/x")
    assert told.notes == (
        "not on record, because the token had none or it was too large: deployment",
    )


def test_a_permit_is_explained_with_what_was_granted() -> None:
    event = recorded()
    told = explained(event)

    assert told.explanation is not None
    assert told.explanation.decision == "permit"
    assert (told.explanation.ttl, event["ttl"]) == (300, 300)
    assert len(told.notes) == 1


@given(
    ref=st.sampled_from(["refs/heads/main", "refs/heads/x"]),
    repository=st.sampled_from(["acme/web", "acme/other"]),
    scopes=st.sampled_from([None, ("deploy:read",), ("none:such",)]),
    target=st.sampled_from([(), ("deploy-api",), ("nothing",)]),
)
def test_what_is_on_record_explains_every_decision_as_it_was(
    ref: str, repository: str, scopes: tuple[str, ...] | None, target: tuple[str, ...]
) -> None:
    request = DecisionRequest(target, scopes)
    event = recorded(request=request, ref=ref, repository=repository, deployment="x")
    told = explained(event)

    assert told.explanation is not None
    assert told.explanation.reason == event["reason"]
    assert told.notes == ()


def test_every_policy_of_the_issuer_is_judged_when_asked() -> None:
    many = a_policy_set(*(a_policy(f"p{number}") for number in range(30)))
    event = recorded(many, ref="x", repository="acme/none")

    few, every = (explain_event(event, many, everything=each) for each in (False, True))
    assert few.explanation is not None
    assert every.explanation is not None
    assert len(every.explanation.candidates) == 30


def test_a_claim_that_was_too_large_to_keep_is_told() -> None:
    large = "x" * 2000
    policies = a_policy_set(a_policy("web", {"repository": "acme/web", "note": large}))
    event = recorded(policies, note=large)
    told = explained(event, policies)

    assert event["outcome"] == "success"
    assert "note" not in event["claims"]
    missing, differs = told.notes
    assert missing == "not on record, because the token had none or it was too large: note"
    assert differs == (
        "computed anew the decision is another one than the recorded permit: something that it"
        " hung on is not on record"
    )


@pytest.mark.parametrize(
    "change",
    [{"sub": "other"}, {"audience": "other"}, {"scopes": []}, {"reason": "denied_by_policy"}],
)
def test_a_result_other_than_the_recorded_one_is_told(change: dict[str, Any]) -> None:
    notes = explained(recorded() | change).notes

    assert "computed anew the decision is another one" in notes[-1]


def test_a_permit_that_was_only_explained_agrees_by_its_reason_alone() -> None:
    event = recorded() | {"type": "token.explained", "sub": None, "audience": None, "scopes": None}

    assert len(explained(event).notes) == 1


def test_a_refusal_of_before_the_policies_is_told_as_one() -> None:
    notes = explained(recorded() | {"reason": "token_expired", "outcome": "refused"}).notes

    assert notes[-1].startswith("the token was refused before any policy was asked (token_expired)")


def test_a_second_use_is_told_as_one() -> None:
    notes = explained(recorded() | {"reason": "token_already_used", "outcome": "refused"}).notes

    assert notes[-1] == "the policies permitted it, but the token had been used before"


def test_a_set_that_is_no_longer_kept_is_told() -> None:
    told = explained(recorded(), None)

    assert told == RecordedDecision(
        None, (f"the policy set {'0' * 64} of that moment is no longer kept",)
    )


def test_a_set_without_the_issuer_is_told() -> None:
    other = a_policy_set(issuers=[an_issuer("gitlab")])

    assert explained(recorded(), other).explanation is None


COUNTED = AuditEvent("id", NOW, "token.refused", "refused", count=42).members()
ADMINISTRATIVE = AuditEvent(
    "id", NOW, "policy.reloaded", "success", policy_set="0" * 64, actor="start"
).members()
CLIENT = AuditEvent(
    "id",
    NOW,
    "token.refused",
    "refused",
    reason="scope_not_allowed",
    service_account="nightly",
    requested={"audience": [], "scope": "deploy:undo"},
    policy_set="0" * 64,
    actor="secret 17",
).members()
ERASED = recorded() | {"claims": None, "claims_erased": "0" * 64}


@pytest.mark.parametrize(
    ("event", "note"),
    [
        (COUNTED, "this event counts 42 refusals of before any signature held"),
        (ADMINISTRATIVE, "this event is no decision by policies"),
        (CLIENT, "a client asked with credentials of its own: policies have no say, the grants of"),
        (ERASED, "the claims were erased"),
    ],
)
def test_what_cannot_be_explained_says_why_and_needs_no_policy_set(
    event: dict[str, Any], note: str
) -> None:
    told = explained(event)

    assert told.explanation is None
    assert told.notes[0].startswith(note)
    assert needed_policy_set(event) is None


def test_a_decision_names_the_policy_set_it_needs() -> None:
    assert needed_policy_set(recorded()) == "0" * 64
    assert needed_policy_set(recorded() | {"policy_set": None}) is None


def test_the_recorded_claims_are_those_that_the_explanation_reads() -> None:
    policies = a_policy_set(
        a_policy("web", {"repository": "acme/web"}),
        accounts=[replace(an_account(), ttl=120)],
    )
    event = recorded(policies)
    named = IndexedPolicies.of(policies).named_claims["github"]
    token = {"exp": NOW + 300, **github_claims()}

    assert event["claims"] == dict(recorded_claims(token, policies.issuers["github"], named))
    assert explained(event, policies).notes == ()


MADE = a_managed_account(client_id="nightly", grants={"deploy-api": ("deploy:*",)})
BY_MADE = a_policy_set(
    a_policy(
        "nightly",
        {"repository": "acme/web"},
        service_account="nightly",
        grants={"deploy-api": ["deploy:read"]},
    )
)
OF_STORE = "what the store says of accounts is as of now: nightly"


def test_accounts_of_the_store_are_those_of_now_and_that_is_said() -> None:
    event = recorded(with_accounts(BY_MADE, [MADE], [], NOW))
    told = explain_event(event, BY_MADE, [MADE])

    assert told.explanation is not None
    assert (told.explanation.decision, told.explanation.service_account) == ("permit", "nightly")
    assert told.notes == (OF_STORE,)


def test_an_account_that_was_ended_since_makes_it_another_decision() -> None:
    event = recorded(with_accounts(BY_MADE, [MADE], [], NOW))
    for gone in ([], [replace(MADE, deleted_at=NOW + 1)], [replace(MADE, enabled=False)]):
        told = explain_event(event, BY_MADE, gone)

        assert told.explanation is not None
        assert told.explanation.reason == "account_disabled"
        assert told.notes[0] == OF_STORE
        assert "another one than the recorded permit" in told.notes[1]


def test_an_account_counts_as_of_the_moment_when_it_only_expired_since() -> None:
    over = replace(MADE, expires_at=NOW + 1)
    event = recorded(with_accounts(BY_MADE, [over], [], NOW))

    assert explain_event(event, BY_MADE, [over]).notes == (OF_STORE,)


def test_an_account_of_a_file_that_was_switched_off_is_told_as_that() -> None:
    off = AccountOverride("deploy-web", enabled=False, updated_at=NOW)
    event = recorded(with_accounts(POLICIES, [], [off], NOW))
    told = explain_event(event, POLICIES, (), [off])

    assert event["reason"] == "account_disabled"
    assert told.explanation is not None
    assert told.explanation.reason == "account_disabled"
    assert "what the store says of accounts is as of now: deploy-web" in told.notes


def test_of_what_was_blocked_it_is_told_by_which_block_and_what_the_policies_say() -> None:
    explained_event = explained(recorded() | {"reason": "blocked", "target": "b-1"})

    assert "blocked (b-1)" in explained_event.notes[-1]
    assert explained_event.explanation is not None
    assert explained_event.explanation.decision == "permit"
