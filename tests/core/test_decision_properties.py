"""What holds of every decision, whatever the policies and the token."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from broker.core.decision import Decision, Deny, Permit
from broker.core.holding import policy_holds
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import Mode, Policy, PolicySet
from broker.core.policy_index import PolicyIndex
from tests.core import crowds
from tests.core.builders import NOW, a_policy_set, a_service, an_account, an_issuer, the_decision

GITHUB_ISSUER = an_issuer("github")
EVERYTHING = {name: ["deploy:read", "deploy:write"] for name in crowds.SERVICES}


def some_of(crowd: list[Policy], *, least: int, most: int) -> st.SearchStrategy[list[Policy]]:
    return st.lists(st.sampled_from(crowd), min_size=least, max_size=most, unique_by=id)


TOKENS = crowds.tokens()
any_claims = st.just(TOKENS[0]) | st.sampled_from(TOKENS)
of_one_account = some_of(crowds.allow_policies(crowds.ACCOUNTS[:1]), least=1, most=6)
of_all_accounts = some_of(crowds.allow_policies(crowds.ACCOUNTS), least=2, most=8)
any_denies = some_of(crowds.deny_policies(), least=0, most=2)
any_request = st.fixed_dictionaries(
    {
        "targets": st.sampled_from([("deploy-api",), ("artifacts",)]),
        "scopes": st.sampled_from([None, None, ("deploy:read",), ("deploy:read", "deploy:write")]),
        "client_id": st.sampled_from([None, None, None, "deploy-web"]),
        "expires_in": st.sampled_from([None, 3600]),
    }
)


def world(policies: Sequence[Policy]) -> PolicySet:
    """Two services, an account for all, one that reads, and one that is switched off."""
    return a_policy_set(
        *policies,
        issuers=[GITHUB_ISSUER],
        services=[a_service(name) for name in crowds.SERVICES],
        accounts=[
            an_account("deploy-web", EVERYTHING),
            an_account("reader", {"deploy-api": ["deploy:read"]}),
            an_account("off", EVERYTHING, enabled=False),
        ],
    )


def decided(policies: Sequence[Policy], claims: dict[str, Any], request: Any) -> Decision:
    decision = the_decision(world(policies), claims, **request)
    event(decision.reason if isinstance(decision, Deny) else "permit")
    return decision


@settings(max_examples=400, deadline=None)
@given(policies=of_one_account, claims=any_claims, request=any_request, data=st.data())
def test_with_one_account_and_no_deny_dropping_a_claim_never_permits(
    policies: list[Policy], claims: dict[str, Any], request: Any, data: st.DataObject
) -> None:
    droppable = sorted(claims.keys() - {"exp", "iss", "iat"})
    dropped = data.draw(st.sets(st.sampled_from(droppable), min_size=1))
    fewer = {name: value for name, value in claims.items() if name not in dropped}

    if isinstance(decided(policies, fewer, request), Permit):
        assert isinstance(decided(policies, claims, request), Permit)


@settings(max_examples=400, deadline=None)
@given(
    policies=of_all_accounts,
    denying=any_denies,
    more=st.sampled_from(crowds.deny_policies()),
    claims=any_claims,
    request=any_request,
)
def test_adding_a_deny_policy_never_permits(
    policies: list[Policy],
    denying: list[Policy],
    more: Policy,
    claims: dict[str, Any],
    request: Any,
) -> None:
    before = [*policies, *denying]

    if isinstance(decided([*before, replace(more, name="more")], claims, request), Permit):
        assert isinstance(decided(before, claims, request), Permit)


@settings(max_examples=400, deadline=None)
@given(
    policies=of_all_accounts,
    denying=any_denies,
    claims=any_claims,
    request=any_request,
    data=st.data(),
)
def test_the_order_of_policies_never_matters(
    policies: list[Policy],
    denying: list[Policy],
    claims: dict[str, Any],
    request: Any,
    data: st.DataObject,
) -> None:
    ordered = [*policies, *denying]
    shuffled = data.draw(st.permutations(ordered))

    assert decided(shuffled, claims, request) == decided(ordered, claims, request)


@settings(max_examples=400, deadline=None)
@given(policies=of_all_accounts, denying=any_denies, claims=any_claims, request=any_request)
def test_a_permit_is_never_wider_than_its_account_its_policies_and_its_caps(
    policies: list[Policy], denying: list[Policy], claims: dict[str, Any], request: Any
) -> None:
    permit = decided([*policies, *denying], claims, request)
    if isinstance(permit, Deny):
        return

    service, account = permit.service.name, permit.service_account
    held = {each.name: each for each in policies if each.name in permit.policies}
    granting = [account.grants if each.grants is None else each.grants for each in held.values()]
    assert account.enabled
    assert set(permit.scopes) <= account.grants[service]
    assert set(permit.scopes) <= set().union(*(grants.get(service, ()) for grants in granting))
    assert set(permit.scopes) <= set(request["scopes"] or permit.service.scopes)
    assert permit.ttl <= min(each.max_ttl or 3600 for each in held.values())
    assert {each.service_account for each in held.values()} == {account.client_id}
    assert all(each.mode is Mode.ENFORCE for each in held.values())


ALLOWS = crowds.allow_policies(crowds.ACCOUNTS)
DENIES = crowds.deny_policies()


def enforced(crowd: list[Policy], claims: dict[str, Any]) -> list[Policy]:
    """Ask every policy, one after the other."""
    return [
        each
        for each in sorted(crowd, key=lambda each: each.name)
        if each.mode is Mode.ENFORCE and policy_holds(each, GITHUB_ISSUER, claims, NOW)
    ]


def test_the_index_finds_exactly_what_asking_every_policy_finds() -> None:
    indexed = IndexedPolicies.of(world([*ALLOWS, *DENIES]))

    for claims in TOKENS[::3]:
        assert indexed.allowing(GITHUB_ISSUER, claims, NOW) == enforced(ALLOWS, claims)
        assert indexed.denying(GITHUB_ISSUER, claims, NOW) == enforced(DENIES, claims)


def test_the_index_yields_each_policy_at_most_once() -> None:
    index = PolicyIndex(GITHUB_ISSUER, [*ALLOWS, *DENIES])

    for claims in TOKENS[::3]:
        names = [each.name for each in index.candidates(claims)]
        assert len(names) == len(set(names))
