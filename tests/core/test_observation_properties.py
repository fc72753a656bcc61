"""Whatever is observed: nothing comes of it, and what is on record is what enforcing would do."""

from dataclasses import replace
from typing import Any

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from broker.core.decision import Deny, decide
from broker.core.indexed_policies import IndexedPolicies
from broker.core.observation import WOULD
from broker.core.policy import Mode, Policy, PolicySet
from broker.core.recorded_claims import MAX_CLAIM_BYTES
from broker.core.simulation.observations import observed_alone, observed_counted
from broker.core.simulation.outcome import Outcome, Undecidable, differences, kind_of
from broker.core.simulation.past_decision import PastDecision, past_decision
from broker.core.simulation.redecision import Redecision
from broker.grants import decision_record
from broker.grants.request import Caller, ExchangeRequest
from tests.core.builders import a_policy_set
from tests.core.simulation.test_truth_properties import asked, policy_sets, refused_before

modes = st.lists(st.sampled_from([Mode.ENFORCE, Mode.OBSERVE, Mode.OBSERVE]), min_size=6)


@st.composite
def some_observed(draw: st.DrawFn) -> PolicySet:
    """Draw a set of which any policy, allow or deny, may be observed only."""
    found, chosen = draw(policy_sets()), draw(modes)
    policies = {
        name: replace(policy, mode=mode)
        for (name, policy), mode in zip(found.policies.items(), chosen, strict=False)
    }
    return replace(found, policies={**found.policies, **policies})


def without(policy_set: PolicySet, *, mode: Mode) -> PolicySet:
    kept: dict[str, Policy] = {
        name: each for name, each in policy_set.policies.items() if each.mode is not mode
    }
    return replace(policy_set, policies=kept)


def record(policy_set: PolicySet, token: Any, request: Any, at: float) -> dict[str, Any] | None:
    """Record a decision as the broker does; None where it comes before the policies."""
    policies, issuer = IndexedPolicies.of(policy_set), policy_set.issuer_by_url(token["iss"])
    assert issuer is not None
    if refused_before(issuer, token) is not None:
        return None
    exchange = ExchangeRequest("", request, Caller("request"))
    begun = decision_record.begun("decision", exchange, policies, issuer, token, at)
    begun.observed = policies.observed(issuer, token, at)
    decision = decide(token, issuer, request, policies, at)
    decision_record.compare(begun, decision, token, policies)
    if isinstance(decision, Deny):
        return decision_record.denied(begun, decision, 0).members()
    return decision_record.granted(begun, decision, "token", 0).members()


@settings(max_examples=300, deadline=None)
@given(policy_set=some_observed(), job=asked)
def test_what_is_observed_changes_no_decision(policy_set: PolicySet, job: Any) -> None:
    token, request, at = job
    issuer = policy_set.issuer_by_url(token["iss"])
    assert issuer is not None
    enforcing = without(policy_set, mode=Mode.OBSERVE)

    with_observed, alone = (
        decide(token, issuer, request, IndexedPolicies.of(each), at)
        for each in (policy_set, enforcing)
    )

    assert with_observed == alone


@settings(max_examples=300, deadline=None)
@given(policy_set=some_observed(), job=asked)
def test_what_is_recorded_is_the_decision_of_the_set_with_all_modes_turned(
    policy_set: PolicySet, job: Any
) -> None:
    token, request, at = job
    members = record(policy_set, token, request, at)
    if members is None:
        return
    past = past_decision(members)
    assert isinstance(past, PastDecision)
    turned = observed_counted(policy_set)
    true = Outcome.of(
        decide(token, turned.issuers[past.issuer or ""], request, IndexedPolicies.of(turned), at)
    )

    event("observed" if past.would else "nothing observed")
    assert (past.would or past.outcome) == true
    assert (past.would is None) == (not past.observed)
    if past.would is not None:
        kind = kind_of(past.outcome, true, differences(past.outcome, true))
        assert members["would"]["kind"] == WOULD[kind]
        event(members["would"]["kind"])


@settings(max_examples=200, deadline=None)
@given(policy_set=some_observed(), job=asked)
def test_what_is_recorded_is_what_deciding_once_more_comes_to(
    policy_set: PolicySet, job: Any
) -> None:
    # What is too large to be recorded counts as absent later on: the record alone knows better.
    assume(len(str(job[0].get("team"))) < MAX_CLAIM_BYTES)
    members = record(policy_set, *job)
    if members is None:
        return
    past = past_decision(members)
    assert isinstance(past, PastDecision)
    turned = IndexedPolicies.of(observed_counted(policy_set))

    found = Redecision(turned, base=IndexedPolicies.of(policy_set)).decide(past)

    if not isinstance(found, Undecidable):
        event("decided")
        assert found == (past.would or past.outcome)


@settings(max_examples=100, deadline=None)
@given(policy_set=some_observed(), job=asked)
def test_alone_they_decide_as_if_there_were_no_others(policy_set: PolicySet, job: Any) -> None:
    token, request, at = job
    issuer = policy_set.issuer_by_url(token["iss"])
    assert issuer is not None
    others = without(policy_set, mode=Mode.ENFORCE)
    turned = replace(
        others,
        policies={name: replace(each, mode=Mode.ENFORCE) for name, each in others.policies.items()},
    )

    alone, expected = (
        decide(token, issuer, request, IndexedPolicies.of(each), at)
        for each in (observed_alone(policy_set), turned)
    )

    assert alone == expected
    assert observed_alone(a_policy_set()).policies == {}
