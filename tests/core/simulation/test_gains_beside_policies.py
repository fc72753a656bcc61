"""Access that widens by something else than a policy is not passed over in silence."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.errors import Reason, Refusal
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Issuer, PolicySet, Replay
from broker.core.simulation.past_decision import PassedOver
from broker.grants import decision_record
from broker.grants.request import Caller, ExchangeRequest
from tests.core.builders import BROKER, NOW, a_policy, an_issuer, github_claims
from tests.core.simulation.recording import DEPLOY, kinds, now, simulated, then

WEB = a_policy("web", {"repository": "acme/web"})
SHORT = an_issuer("github", max_token_lifetime=60)
OTHER = an_issuer("github", audiences=frozenset({"https://other.example"}))
SPENT, LONG, MEANT = (
    Reason.TOKEN_ALREADY_USED,
    Reason.TOKEN_LIFETIME_TOO_LONG,
    Reason.AUDIENCE_MISMATCH,
)


def refused(policy_set: PolicySet, reason: Reason, **claims: Any) -> dict[str, Any]:
    """Give the event of a token that was refused for what its issuer's entry says."""
    policies, issuer = IndexedPolicies.of(policy_set), policy_set.issuers["github"]
    request = ExchangeRequest("", DEPLOY, Caller("request"))
    begun = decision_record.begun(
        "decision", request, policies, issuer, github_claims(**claims), NOW
    )
    return decision_record.refused(begun, Refusal(reason, "x"), 0).members()


@pytest.mark.parametrize(
    ("before", "reason", "after", "passed"),
    [
        (an_issuer("github"), SPENT, {"replay": Replay.REUSABLE}, PassedOver.ALREADY_USED),
        (SHORT, LONG, {}, PassedOver.BEFORE_POLICIES),
        (OTHER, MEANT, {}, PassedOver.BEFORE_POLICIES),
    ],
)
def test_what_an_issuer_refused_and_would_not_any_more_is_newly_permitted(
    before: Issuer, reason: Reason, after: dict[str, Any], passed: PassedOver
) -> None:
    event = refused(then(WEB, issuers=[before]), reason)
    wider = now(WEB, issuers=[an_issuer("github", **after)])

    assert kinds(simulated(wider, event)) == {"newly_permitted": 1}
    same = simulated(now(WEB, issuers=[before]), event)
    assert (kinds(same), same.passed_over[passed]) == ({}, 1)
    nobody = simulated(replace(wider, policies={}), event)
    assert kinds(nobody) == {"unchanged": 1}
    gone = simulated(now(issuers=[]), event)
    assert (kinds(gone), gone.passed_over[passed]) == ({}, 1)


def test_of_a_token_for_another_audience_the_own_ones_do_not_count_as_any() -> None:
    event = refused(then(WEB), MEANT, aud="https://elsewhere.example")

    report = simulated(now(WEB), event, own_audiences=frozenset({BROKER}))
    assert (kinds(report), report.passed_over[PassedOver.BEFORE_POLICIES]) == ({}, 1)


def test_one_use_per_audience_is_wider_than_one_use_where_that_is_known_to_be_before() -> None:
    before = then(WEB)
    event = refused(before, SPENT)
    after = now(WEB, issuers=[an_issuer("github", replay=Replay.PER_AUDIENCE)])

    assert kinds(simulated(after, event)) == {}
    base = IndexedPolicies.of(before)
    assert kinds(simulated(after, event, base=base)) == {"newly_permitted": 1}
    assert kinds(simulated(after, event, base=IndexedPolicies.of(after))) == {}


def test_a_refusal_without_claims_is_passed_over_as_before() -> None:
    event = refused(then(WEB, issuers=[SHORT]), LONG)
    erased = {**event, "claims": None, "claims_erased": "0" * 64}

    assert simulated(now(WEB), erased).passed_over[PassedOver.BEFORE_POLICIES] == 1
    nameless = {**event, "claims": {}}
    assert simulated(now(WEB), nameless).passed_over[PassedOver.BEFORE_POLICIES] == 1
