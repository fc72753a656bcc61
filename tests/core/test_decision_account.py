"""Which account a job acts as, and with which scopes (contract §4, Decision 6-7)."""

from dataclasses import replace

import pytest

from broker.core.decision import Deny, Permit
from broker.core.errors import Reason
from broker.core.policy import Policy, ServiceAccount
from tests.core.builders import (
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    the_decision,
)

READER = an_account("reader", {"deploy-api": ["deploy:read"]})
WRITER = an_account("writer", {"deploy-api": ["deploy:read", "deploy:write"]})


def acting_as(account: ServiceAccount, name: str | None = None) -> Policy:
    return a_policy(name or f"as-{account.client_id}", service_account=account.client_id)


def test_several_accounts_that_fit_are_ambiguous_and_all_listed() -> None:
    policy_set = a_policy_set(acting_as(WRITER), acting_as(READER), accounts=[WRITER, READER])

    decision = the_decision(policy_set)

    assert isinstance(decision, Deny)
    assert decision.reason is decision.public_reason is Reason.AMBIGUOUS_ACCOUNT
    assert decision.service_accounts == ("reader", "writer")


def test_the_caller_may_name_the_account() -> None:
    policy_set = a_policy_set(acting_as(WRITER), acting_as(READER), accounts=[WRITER, READER])

    permit = the_decision(policy_set, client_id="reader")

    assert isinstance(permit, Permit)
    assert permit.service_account == READER
    assert permit.policies == ("as-reader",)
    assert permit.scopes == ("deploy:read",)


def test_accounts_that_cannot_give_every_scope_asked_are_dropped_when_another_can() -> None:
    policy_set = a_policy_set(acting_as(WRITER), acting_as(READER), accounts=[WRITER, READER])

    permit = the_decision(policy_set, scopes=("deploy:write",))

    assert isinstance(permit, Permit)
    assert permit.service_account == WRITER


def test_the_policies_of_a_dropped_account_shape_neither_the_token_nor_the_record() -> None:
    short = replace(acting_as(READER), ttl=60, max_ttl=60)
    policy_set = a_policy_set(acting_as(WRITER), short, accounts=[WRITER, READER])

    permit = the_decision(policy_set, scopes=("deploy:write",))

    assert isinstance(permit, Permit)
    assert (permit.ttl, permit.policies) == (600, ("as-writer",))


def test_when_no_account_can_give_the_scopes_none_is_dropped() -> None:
    policy_set = a_policy_set(acting_as(WRITER), acting_as(READER), accounts=[WRITER, READER])

    decision = the_decision(policy_set, scopes=("deploy:admin",))

    assert isinstance(decision, Deny)
    assert decision.reason is Reason.AMBIGUOUS_ACCOUNT


@pytest.mark.parametrize("accounts", [[READER, an_account("writer", enabled=False)], [READER]])
def test_a_disabled_or_missing_account_still_counts_in_the_choice(
    accounts: list[ServiceAccount],
) -> None:
    writing = a_policy(
        "as-writer", service_account="writer", grants={"deploy-api": ["deploy:write"]}
    )
    policy_set = a_policy_set(writing, acting_as(READER), accounts=accounts)

    unasked = the_decision(policy_set)
    assert isinstance(unasked, Deny)
    assert unasked.reason is Reason.AMBIGUOUS_ACCOUNT

    for request in ({"client_id": "writer"}, {"scopes": ("deploy:write",)}):
        chosen = the_decision(policy_set, **request)
        assert isinstance(chosen, Deny)
        assert chosen.reason is Reason.ACCOUNT_DISABLED
        assert chosen.policies == ("as-writer",)
        assert chosen.detail == "writer"


@pytest.mark.parametrize("held", [{}, {"artifacts": []}, {"deploy-api": []}])
def test_an_account_without_the_service_still_counts_in_the_choice(
    held: dict[str, list[str]],
) -> None:
    """Else whoever takes a grant from one account hands its jobs to another (row 151)."""
    weak = an_account("weak", held)
    narrowed = replace(acting_as(weak), grants={"deploy-api": frozenset({"deploy:read"})})
    policy_set = a_policy_set(
        narrowed,
        acting_as(WRITER),
        services=[a_service(), a_service("artifacts", scopes={})],
        accounts=[weak, WRITER],
    )

    unasked = the_decision(policy_set)
    assert isinstance(unasked, Deny)
    assert (unasked.reason, unasked.service_accounts) == (
        Reason.AMBIGUOUS_ACCOUNT,
        ("weak", "writer"),
    )

    for scopes in (None, ("deploy:read",)):
        chosen = the_decision(policy_set, client_id="weak", scopes=scopes)
        assert isinstance(chosen, Deny)
        assert chosen.reason is chosen.public_reason is Reason.SCOPE_NOT_ALLOWED
        assert chosen.policies == ("as-weak",)

    able = the_decision(policy_set, scopes=("deploy:read",))
    assert isinstance(able, Permit)
    assert able.service_account == WRITER


def test_a_deny_comes_before_the_choice_of_an_account() -> None:
    policy_set = a_policy_set(
        acting_as(WRITER), acting_as(READER), a_deny_policy("no"), accounts=[WRITER, READER]
    )

    decision = the_decision(policy_set)

    assert isinstance(decision, Deny)
    assert decision.reason is Reason.DENIED_BY_POLICY


def test_policies_of_one_account_add_up() -> None:
    reading = a_policy("read", grants={"deploy-api": ["deploy:read"]})
    writing = a_policy("write", grants={"deploy-api": ["deploy:write"]})

    permit = the_decision(a_policy_set(writing, reading))

    assert isinstance(permit, Permit)
    assert permit.scopes == ("deploy:read", "deploy:write")
    assert permit.policies == ("read", "write")


def test_a_policy_narrows_its_account() -> None:
    policy_set = a_policy_set(a_policy("read", grants={"deploy-api": ["deploy:read"]}))

    permit = the_decision(policy_set)

    assert isinstance(permit, Permit)
    assert permit.scopes == ("deploy:read",)


def test_a_policy_never_widens_its_account() -> None:
    wide = a_policy("wide", service_account="reader", grants={"deploy-api": ["deploy:write"]})

    decision = the_decision(a_policy_set(wide, accounts=[READER]), scopes=("deploy:write",))

    assert isinstance(decision, Deny)
    assert decision.reason is Reason.SCOPE_NOT_ALLOWED


def test_no_scope_outside_the_catalogue_is_available() -> None:
    account = an_account(grants={"deploy-api": ["deploy:read", "deploy:removed"]})
    policy_set = a_policy_set(a_policy("web"), accounts=[account])

    permit = the_decision(policy_set)
    asked = the_decision(policy_set, scopes=("deploy:removed",))

    assert isinstance(permit, Permit)
    assert permit.scopes == ("deploy:read",)
    assert isinstance(asked, Deny)
    assert asked.reason is Reason.SCOPE_NOT_ALLOWED


def test_fewer_scopes_than_available_may_be_asked_for() -> None:
    permit = the_decision(a_policy_set(a_policy("web")), scopes=("deploy:read", "deploy:read"))

    assert isinstance(permit, Permit)
    assert permit.scopes == ("deploy:read",)


@pytest.mark.parametrize(
    "scopes",
    [
        ("deploy:admin",),
        ("deploy:read", "deploy:admin"),
        ("*",),
        ("deploy:*",),
        ("deploy:read", "deploy:*"),
        ("Deploy:read",),
        ("",),
        ("deploy:read deploy:write",),
    ],
)
def test_a_scope_that_is_not_available_refuses_the_request(scopes: tuple[str, ...]) -> None:
    decision = the_decision(a_policy_set(a_policy("web")), scopes=scopes)

    assert isinstance(decision, Deny)
    assert decision.reason is Reason.SCOPE_NOT_ALLOWED
    assert set(decision.detail.split()) <= {word for scope in scopes for word in scope.split()}


def test_a_service_without_scopes_gives_a_token_without_scopes() -> None:
    service = a_service(scopes={})
    policy_set = a_policy_set(
        a_policy("web"), services=[service], accounts=[an_account(grants={"deploy-api": []})]
    )

    permit = the_decision(policy_set)

    assert isinstance(permit, Permit)
    assert permit.scopes == ()


@pytest.mark.parametrize(
    ("held", "stated"),
    [
        (["deploy:read"], [["deploy:write"]]),
        ([], [["deploy:write"]]),
        ([], [[], ["deploy:write"]]),
        (["deploy:gone"], [None]),
        (["deploy:read"], [[], ["deploy:write"]]),
    ],
)
def test_where_account_and_policies_do_not_meet_there_is_no_token_without_scopes(
    held: list[str], stated: list[list[str] | None]
) -> None:
    policies = [
        a_policy(f"p{number}", grants=None if scopes is None else {"deploy-api": scopes})
        for number, scopes in enumerate(stated)
    ]

    decision = the_decision(
        a_policy_set(*policies, accounts=[an_account(grants={"deploy-api": held})])
    )

    assert isinstance(decision, Deny)
    assert (decision.reason, decision.detail) == (Reason.SCOPE_NOT_ALLOWED, "")


@pytest.mark.parametrize("stated", [None, {"deploy-api": []}])
def test_an_account_that_is_granted_no_scopes_gets_a_token_without(
    stated: dict[str, list[str]] | None,
) -> None:
    account = an_account(grants={"deploy-api": []})

    permit = the_decision(a_policy_set(a_policy("web", grants=stated), accounts=[account]))

    assert isinstance(permit, Permit)
    assert permit.scopes == ()


def test_a_service_without_scopes_is_for_accounts_that_hold_it() -> None:
    service = a_service(scopes={})
    policy = a_policy("web", grants={"deploy-api": []})

    decision = the_decision(
        a_policy_set(policy, services=[service], accounts=[an_account(grants={})])
    )

    assert isinstance(decision, Deny)
    assert decision.reason is Reason.SCOPE_NOT_ALLOWED


def test_allows_for_other_services_do_not_add_scopes() -> None:
    elsewhere = a_policy("elsewhere", grants={"artifacts": ["deploy:write"]})
    here = a_policy("here", grants={"deploy-api": ["deploy:read"]})
    account = an_account(grants={"deploy-api": ["deploy:read"], "artifacts": ["deploy:write"]})
    policy_set = a_policy_set(
        elsewhere, here, services=[a_service(), a_service("artifacts")], accounts=[account]
    )

    permit = the_decision(policy_set)

    assert isinstance(permit, Permit)
    assert permit.policies == ("here",)
    assert permit.scopes == ("deploy:read",)
