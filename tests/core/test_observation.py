"""What would be decided if the observed policies counted as well."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from broker.core.blocks import Block, Blocks
from broker.core.decision import DecisionRequest, decide
from broker.core.indexed_policies import IndexedPolicies
from broker.core.observation import MAX_NAMED, Observation, observe
from broker.core.observation_text import observation_text
from broker.core.policy import Mode, PolicySet
from tests.core.builders import (
    NOW,
    a_deny_policy,
    a_policy,
    a_policy_set,
    an_account,
    an_issuer,
    github_claims,
)
from tests.core.explain_cases import explained

WEB = a_policy("web")
SEEN = a_policy("seen", mode=Mode.OBSERVE)
GRANTED = "deploy-web at https://deploy-api.example (deploy:read deploy:write, 10m)"
SEEN_DENY = a_deny_policy("seen-deny", mode=Mode.OBSERVE)


def observed(
    policy_set: PolicySet, request: DecisionRequest | None = None, *, blocks: Blocks | None = None
) -> Observation | None:
    """Observe a decision on a push to acme/web."""
    policies = IndexedPolicies.of(policy_set)
    if blocks is not None:
        policies = replace(policies, blocks=blocks)
    issuer, claims = an_issuer("github"), github_claims()
    asked = request or DecisionRequest(("deploy-api",))
    decision = decide(claims, issuer, asked, policies, NOW)
    held = policies.observed(issuer, claims, NOW)
    return observe(decision, held, claims, issuer, asked, policies, NOW)


def members(policy_set: PolicySet, request: DecisionRequest | None = None) -> Mapping[str, Any]:
    found = observed(policy_set, request)
    assert found is not None
    return found.members()


def test_an_observed_policy_would_permit_what_none_permits() -> None:
    assert members(a_policy_set(SEEN)) == {
        "kind": "would_permit",
        "reason": None,
        "policies": ["seen"],
        "service_account": "deploy-web",
        "sub": "deploy-web",
        "audience": "https://deploy-api.example",
        "scopes": ["deploy:read", "deploy:write"],
        "ttl": 600,
    }


def test_an_observed_deny_would_deny_what_is_permitted() -> None:
    assert members(a_policy_set(WEB, SEEN_DENY)) == {
        "kind": "would_deny",
        "reason": "denied_by_policy",
        "policies": ["seen-deny"],
        "service_account": None,
        "sub": None,
        "audience": None,
        "scopes": None,
        "ttl": None,
    }


def test_more_scopes_are_a_change() -> None:
    narrow = a_policy("web", grants={"deploy-api": ["deploy:read"]})
    would = members(a_policy_set(narrow, SEEN))

    assert would["kind"] == "would_change"
    assert would["scopes"] == ["deploy:read", "deploy:write"]
    assert would["policies"] == ["seen", "web"]


def test_a_second_account_would_be_ambiguous() -> None:
    other = a_policy("seen", service_account="other", mode=Mode.OBSERVE)
    accounts = [an_account(), an_account("other")]
    would = members(a_policy_set(WEB, other, accounts=accounts))

    assert (would["kind"], would["reason"]) == ("would_deny", "ambiguous_account")


def test_what_grants_the_same_is_the_same_and_so_is_another_refusal() -> None:
    assert members(a_policy_set(WEB, SEEN))["kind"] == "same"
    refused = members(a_policy_set(SEEN_DENY))
    assert (refused["kind"], refused["reason"]) == ("same", "no_policy_matched")
    both = members(a_policy_set(SEEN, SEEN_DENY))
    assert (both["kind"], both["reason"]) == ("same", "denied_by_policy")


def test_where_none_holds_there_is_nothing_to_observe() -> None:
    elsewhere = a_policy("elsewhere", {"repository": "acme/api"}, mode=Mode.OBSERVE)

    assert observed(a_policy_set(WEB)) is None
    assert observed(a_policy_set(WEB, elsewhere)) is None


def test_what_is_blocked_is_blocked_whatever_policies_say() -> None:
    block = Block("b-1", {"repository_id": "456789"}, "INC-7", NOW, "admin", None)

    assert observed(a_policy_set(WEB, SEEN), blocks=Blocks([block])) is None
    assert observed(a_policy_set(SEEN), blocks=Blocks([block])) is None


def test_of_many_policies_the_first_ones_are_named() -> None:
    crowd = [a_policy(f"p-{number:04}", mode=Mode.OBSERVE) for number in range(MAX_NAMED + 5)]

    assert members(a_policy_set(*crowd))["policies"] == [
        f"p-{number:04}" for number in range(MAX_NAMED)
    ]


# --- in words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policies", "says"),
    [
        (
            [SEEN],
            f"it would be permitted by seen, were it enforced: {GRANTED}",
        ),
        ([WEB, SEEN_DENY], "it would be refused by seen-deny, were it enforced: denied_by_policy"),
        ([WEB, SEEN], "it would be the same with seen, were it enforced"),
        (
            [a_policy("web", grants={"deploy-api": ["deploy:read"]}), SEEN],
            f"it would be changed by seen, were it enforced: {GRANTED}",
        ),
        (
            [SEEN, SEEN_DENY],
            "it would be the same with seen-deny, were it enforced",
        ),
    ],
)
def test_it_is_said_in_words(policies: Any, says: str) -> None:
    found, observation = explained(policies).observed()
    assert observation is not None

    assert observation_text(found, observation.members()) == says


def test_of_a_crowd_some_are_named() -> None:
    names = [f"p-{number}" for number in range(7)]

    assert observation_text(names, {"kind": "same"}) == (
        "it would be the same with p-0, p-1, p-2, p-3, p-4 and 2 more, were they enforced"
    )


def test_of_an_older_event_it_is_said_that_they_held() -> None:
    assert observation_text(["seen"], None) == "seen held, and had no say"


def test_whatever_the_members_hold_the_sentence_is_one_line() -> None:
    hostile = {"kind": "would_permit", "sub": "a\nb", "ttl": "x", "scopes": 1, "audience": None}

    text = observation_text(["a\x1b[2J\nb", 7], hostile)

    assert text.isprintable()
