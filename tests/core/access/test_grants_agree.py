"""A review says what decisions say: a grant is there if, and only if, a decision can give it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core import client
from broker.core.access.grant import Mark
from broker.core.access.grants import access_grants
from broker.core.blocks import NO_BLOCKS
from broker.core.conditions import AnyOf, Effect, Equals
from broker.core.decision import DecisionRequest, Deny, Permit
from broker.core.errors import Reason
from broker.core.policy import Mode, Policy, PolicySet
from tests.core.builders import (
    NOW,
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    github_claims,
    some_conditions,
    the_decision,
)

ACCOUNTS = ("one", "two", "missing")
SERVICES = {"deploy-api": ["deploy:read", "deploy:write"], "plain": []}

grants = st.dictionaries(
    st.sampled_from(sorted(SERVICES)),
    st.lists(st.sampled_from(["deploy:read", "deploy:write"]), unique=True, max_size=2),
    max_size=2,
).map(lambda held: {name: [] if name == "plain" else scopes for name, scopes in held.items()})
values = st.lists(st.sampled_from(["main", "release"]), min_size=1, max_size=2, unique=True)
matches = st.fixed_dictionaries(
    {"repository": st.just("acme/web")},
    optional={
        "ref": values,
        "environment": values,
        "event_name": st.sampled_from(["push", "pull_request"]),
    },
)


@st.composite
def policy_sets(draw: st.DrawFn) -> PolicySet:
    named = draw(st.lists(st.sampled_from(ACCOUNTS), min_size=1, max_size=3))
    allows = [
        a_policy(
            f"allow-{number}",
            draw(matches),
            service_account=account,
            # A policy names an account that no file defines only with grants of its own.
            grants=draw(grants if account == "missing" else st.none() | grants),
            mode=draw(st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.OBSERVE])),
            expires_at=draw(st.sampled_from([None, None, NOW - 1, NOW + 1])),
        )
        for number, account in enumerate(named)
    ]
    denies = [
        a_deny_policy(
            f"deny-{number}",
            {"ref": draw(values)} | draw(st.sampled_from([{}, {"event_name": "pull_request"}])),
            services=draw(st.none() | st.just(frozenset({"plain"}))),
        )
        for number in range(draw(st.integers(0, 1)))
    ]
    accounts = [
        an_account(
            name,
            draw(grants),
            enabled=draw(st.sampled_from([True, True, False])),
            secrets_allowed=draw(st.booleans()),
            instances=draw(st.sampled_from([(), (), ("repository_id",)])),
        )
        for name in ACCOUNTS[:2]
    ]
    services = [
        a_service(name, scopes=dict.fromkeys(scopes, "Do it")) for name, scopes in SERVICES.items()
    ]
    return a_policy_set(*allows, *denies, services=services, accounts=accounts)


def asked() -> Iterator[tuple[str, str | None]]:
    for name, scopes in SERVICES.items():
        yield name, None
        yield from ((name, scope) for scope in scopes)


def claims_of(policy: Policy) -> Mapping[str, Any]:
    """Make the claims of a job from the literals of a policy: the first of each."""
    named = {}
    for each in policy.conditions:
        literals = each.literals()
        assert literals is not None
        named[each.claim] = literals[0]
    return github_claims(**named)


def ask(policy_set: PolicySet, policy: Policy, service: str, scope: str | None) -> Permit | Deny:
    scopes = None if scope is None else (scope,)
    account = policy.service_account
    return the_decision(
        policy_set, claims_of(policy), targets=(service,), scopes=scopes, client_id=account
    )


def gives(decision: Permit | Deny, scope: str | None) -> bool:
    wanted = () if scope is None else (scope,)
    return isinstance(decision, Permit) and decision.scopes == wanted


def alone(policy: Policy, policy_set: PolicySet) -> PolicySet:
    """Put a policy in force by itself, and its account too."""
    accounts = {
        name: replace(each, enabled=True) for name, each in policy_set.service_accounts.items()
    }
    if policy.service_account == "missing":
        accounts["missing"] = an_account("missing", SERVICES)
    only = {policy.name: replace(policy, mode=Mode.ENFORCE, expires_at=None)}
    return replace(policy_set, policies=only, service_accounts=accounts)


def allows_of(policy_set: PolicySet) -> list[Policy]:
    return [each for each in policy_set.policies.values() if each.effect is Effect.ALLOW]


@settings(max_examples=80, deadline=None)
@given(policy_set=policy_sets())
def test_a_grant_is_there_when_a_decision_by_its_policy_can_give_it(policy_set: PolicySet) -> None:
    found = {each.key: each for each in access_grants(policy_set, None, NOW)}

    for policy in allows_of(policy_set):
        by_itself = alone(policy, policy_set)
        for service, scope in asked():
            key = (service, scope, policy.service_account, policy.name)
            told = key in {(k.service, k.scope, k.service_account, k.policy) for k in found}
            assert told == gives(ask(by_itself, policy, service, scope), scope)


@settings(max_examples=80, deadline=None)
@given(policy_set=policy_sets())
def test_marks_and_deny_policies_are_why_the_whole_set_gives_less(policy_set: PolicySet) -> None:
    for grant in access_grants(policy_set, None, NOW):
        if grant.policy is None:
            continue
        decision = ask(policy_set, grant.policy, grant.service.name, grant.scope)

        if isinstance(decision, Permit):
            assert grant.marks == () or grant.policy.name not in decision.policies
        elif decision.reason is Reason.DENIED_BY_POLICY:
            assert set(decision.policies) <= set(grant.denied_by)
        elif grant.scope is not None:
            assert grant.marks


@settings(max_examples=80, deadline=None)
@given(policy_set=policy_sets())
def test_credentials_give_what_a_client_gets(policy_set: PolicySet) -> None:
    found = [each for each in access_grants(policy_set, None, NOW) if each.policy is None]
    told = {(each.service_account, each.service.name, each.scope) for each in found}

    for name, account in policy_set.service_accounts.items():
        for service, scope in asked():
            request = DecisionRequest((service,), None if scope is None else (scope,))
            decision = client.decide(account, request, policy_set, NO_BLOCKS, NOW)
            gets = gives(decision, scope) and account.secrets_allowed
            assert ((name, service, scope) in told) == gets
    assert all(
        (Mark.ACCOUNT_DISABLED in each.marks)
        == (not policy_set.service_accounts[each.service_account].enabled)
        for each in found
    )


@settings(max_examples=80, deadline=None)
@given(policy_set=policy_sets(), deny=matches)
def test_a_deny_policy_that_is_not_named_never_holds(
    policy_set: PolicySet, deny: Mapping[str, Any]
) -> None:
    more = a_deny_policy(
        "more", {name: each for name, each in deny.items() if name != "repository"}
    )
    denying = replace(policy_set, policies={**policy_set.policies, "more": more})

    for grant in access_grants(denying, None, NOW):
        if grant.policy is None or "more" in grant.denied_by:
            continue
        # Every token that the allow's literals make, not the first alone.
        for condition in grant.policy.conditions:
            for literal in condition.literals() or ():
                one = some_conditions({condition.claim: literal})
                others = [each for each in grant.policy.conditions if each is not condition]
                narrowed = replace(grant.policy, conditions=(*one, *others))
                assert not all(
                    each.holds(claims_of(narrowed), Effect.DENY) for each in more.conditions
                )


def test_literals_are_what_these_tests_make_claims_of() -> None:
    matcher = a_policy("x", {"ref": ["a", "b"]}).conditions[0].matcher

    assert matcher == AnyOf((Equals("a"), Equals("b")))
