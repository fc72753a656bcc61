"""A template that cannot be filled in is told: to the caller, in explanations, from the record."""

from typing import Any

from broker.core.blocks import NO_BLOCKS
from broker.core.client import decide, describe
from broker.core.decision import DecisionRequest, Deny, Permit
from broker.core.decision import decide as decide_exchange
from broker.core.errors import Reason
from broker.core.explanation_text import render
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import PolicySet
from broker.core.recorded_decision import explain_event
from broker.core.refusal_text import describe as describe_exchange
from broker.grants import decision_record
from broker.grants.request import Caller, ExchangeRequest
from tests.core.builders import NOW, a_policy, a_policy_set, an_account, github_claims
from tests.core.explain_cases import caller_fix, explained, fix
from tests.core.shaped_services import a_shaped_service

TEAM = a_shaped_service({"groups": ["team:{metadata.team}"]})
TOLD = (
    "claims.groups 'team:{metadata.team}' of service deploy-api: service account deploy-web has no"
    " metadata team; set metadata.team of service account deploy-web"
)


def by_team(**account: Any) -> PolicySet:
    return a_policy_set(a_policy(), services=[TEAM], accounts=[an_account(**account)])


def test_the_caller_and_the_explanation_name_the_template_and_the_fix() -> None:
    policies = by_team()
    claims, issuer, request = github_claims(), policies.issuers["github"], DecisionRequest()
    deny = decide_exchange(claims, issuer, request, IndexedPolicies.of(policies), NOW)
    assert isinstance(deny, Deny)

    assert describe_exchange(deny, request, claims, issuer) == TOLD
    assert fix(policies) == caller_fix(policies) == TOLD


def a_record(policies: PolicySet) -> dict[str, Any]:
    """Record a decision as the broker does."""
    indexed, issuer = IndexedPolicies.of(policies), policies.issuers["github"]
    claims, request = github_claims(custom="x"), DecisionRequest(("deploy-api",))
    exchange = ExchangeRequest("", request, Caller("request"))
    begun = decision_record.begun("id", exchange, indexed, issuer, claims, NOW)
    decision = decide_exchange(claims, issuer, request, indexed, NOW)
    if isinstance(decision, Permit):
        return decision_record.granted(begun, decision, "token", 0).members()
    return decision_record.denied(begun, decision, 0).members()


def test_a_refusal_is_the_same_when_it_is_computed_anew() -> None:
    told = explain_event(a_record(by_team()), by_team())

    assert told.explanation is not None
    assert told.explanation.reason == "claim_invalid"
    assert told.explanation.fix == TOLD
    assert told.notes == ()


def test_a_permit_is_the_same_when_it_is_computed_anew_of_what_was_recorded() -> None:
    service = a_shaped_service({"groups": "{workload.custom}:{workload.repository_id}"})
    policies = a_policy_set(a_policy("web", {"repository": "acme/web", "custom": "x"}),
                            services=[service])  # fmt: skip
    event = a_record(policies)

    told = explain_event(event, policies)

    assert event["claims"]["custom"] == "x"
    assert told.explanation is not None
    decision = told.explanation.case.decision
    assert isinstance(decision, Permit)
    assert decision.claims == {"groups": "x:456789"}
    assert told.notes == ()


def test_a_type_of_token_that_a_service_has_not_is_no_matter_of_the_policies() -> None:
    policies = by_team(metadata={"team": "web"})
    event = {**a_record(policies), "type": "token.refused", "reason": "unsupported_token_type"}

    [note] = explain_event(event, policies).notes

    assert note.startswith("the policies permitted it")


def test_a_permit_shows_what_the_token_will_say() -> None:
    policies = by_team(metadata={"team": "web"})

    text = render(explained(policies))

    assert text.splitlines()[:5] == [
        "permit: deploy-web at https://deploy-api.example",
        "  sub: deploy-web",
        "  scopes: deploy:read deploy:write",
        "  ttl: 600 seconds",
        '  groups: ["team:web"]',
    ]


# --- client credentials ---------------------------------------------------------------------------


def test_a_client_gets_the_claims_that_its_account_fills_in() -> None:
    account = an_account(metadata={"team": "web"})
    policies = a_policy_set(services=[TEAM], accounts=[account])

    permit = decide(account, DecisionRequest(), policies, NO_BLOCKS, NOW)

    assert isinstance(permit, Permit)
    assert permit.claims == {"groups": ["team:web"]}


def test_a_client_is_refused_where_its_account_lacks_something() -> None:
    account = an_account()
    policies = a_policy_set(services=[TEAM], accounts=[account])

    deny = decide(account, DecisionRequest(), policies, NO_BLOCKS, NOW)

    assert isinstance(deny, Deny)
    assert deny.reason is Reason.CLAIM_INVALID
    assert describe(deny, DecisionRequest(), account) == TOLD


def test_a_client_has_no_job_to_be_named() -> None:
    account = an_account()
    service = a_shaped_service({"groups": "{workload.repository_id}"})
    policies = a_policy_set(services=[service], accounts=[account])

    deny = decide(account, DecisionRequest(), policies, NO_BLOCKS, NOW)

    assert isinstance(deny, Deny)
    assert deny.reason is Reason.GRANT_NOT_ALLOWED
    assert describe(deny, DecisionRequest(), account) == (
        "tokens of service 'deploy-api' name the job that they are for: only a CI token buys one,"
        " by token exchange"
    )
