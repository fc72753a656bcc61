"""The fix by the reason of the refusal: targets, scopes, accounts, deny policies."""

from typing import Any

import pytest

from broker.core.policy import Mode, Policy, Replay, Service
from tests.core.builders import (
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    an_issuer,
    github_claims,
    gitlab_claims,
)
from tests.core.explain_cases import caller_fix, excluding, explained, fix, web_policy

BOTH = {"deploy-api": ["deploy:read"], "vault": ["vault:read"]}


def vault() -> Service:
    return a_service("vault", scopes={"vault:read": "", "vault:write": ""})


def test_a_permit_has_no_fix() -> None:
    assert explained(web_policy()).fix is None


def test_a_deny_policy_that_holds_is_named_with_what_it_saw() -> None:
    match = {"event_name": "push", "environment": excluding("production")}
    policies = a_policy_set(
        web_policy(), a_deny_policy("no-x", match), a_deny_policy("no-y", {"ref": "y"})
    )

    assert fix(policies) == (
        "deny policy no-x holds, for `event_name` is push and `environment` is absent: narrow it"
        " only if this job is meant to pass"
    )
    assert caller_fix(policies) == (
        "a deny policy forbids this: whoever runs the broker can see which one"
    )


def test_an_unknown_target_is_answered_with_those_available() -> None:
    told = fix(web_policy(), targets=("deploy-apo",))
    caller = caller_fix(web_policy(), targets=("deploy-apo",))

    assert told.splitlines() == [
        "the catalogue has no service deploy-apo; did you mean deploy-api?",
        "available: deploy-api",
    ]
    assert caller == (
        "not available to this token: deploy-apo; did you mean deploy-api?\navailable: deploy-api"
    )


def test_a_service_that_the_account_lacks_is_granted_to_the_account() -> None:
    policies = a_policy_set(web_policy(), services=[a_service(), vault()])

    told = fix(policies, targets=("vault",), scopes=("vault:read", "x"))

    assert told.splitlines() == [
        (
            "policy web-production does not reach vault: write `vault: [vault:read]` into"
            " `grants` of service account deploy-web"
        ),
        "available: deploy-api",
    ]


def test_a_caller_cannot_tell_a_service_that_exists_from_one_that_does_not() -> None:
    policies = a_policy_set(web_policy(), services=[a_service(), vault()])

    existing = caller_fix(policies, targets=("vault",))
    unknown = caller_fix(policies, targets=("fault",))

    assert existing == "not available to this token: vault\navailable: deploy-api"
    assert unknown == "not available to this token: fault\navailable: deploy-api"


def test_a_service_that_a_policy_leaves_out_is_granted_to_the_policy() -> None:
    policies = a_policy_set(
        a_policy("web", grants={"deploy-api": ["deploy:read"]}),
        services=[a_service(), vault()],
        accounts=[an_account(grants=BOTH)],
    )

    told = fix(policies, targets=("https://vault.example",), scopes=("vault:write",))

    assert told.splitlines()[0] == (
        "policy web does not reach https://vault.example: write `vault: [vault:read, vault:write]`"
        " into `grants` of service account deploy-web and write `vault: [vault:write]` into"
        " `grants` of policy web"
    )


def test_two_services_at_once_are_asked_for_one_by_one() -> None:
    policies = a_policy_set(
        web_policy(), services=[a_service(), vault()], accounts=[an_account(grants=BOTH)]
    )

    assert fix(policies, targets=("vault", "deploy-api")).splitlines() == [
        "a token is for one service: ask for each of them on its own",
        "available: deploy-api, vault",
    ]


def test_several_services_and_none_asked_are_listed() -> None:
    policies = a_policy_set(
        web_policy(), services=[a_service(), vault()], accounts=[an_account(grants=BOTH)]
    )

    assert fix(policies, targets=()) == (
        "several services can be meant: name one of deploy-api, vault in `audience`"
    )


@pytest.mark.parametrize(
    ("held", "stated", "where"),
    [
        ({}, ["deploy:read"], "`deploy-api: [deploy:read]` into `grants` of service account"),
        (
            {"deploy-api": ["deploy:read"]},
            ["deploy:write"],
            "`deploy-api: [deploy:read, deploy:write]` into `grants` of service account",
        ),
        ({}, [], "`deploy-api` with some of deploy:read, deploy:write into `grants` of service"),
    ],
)
def test_where_nothing_is_available_the_account_is_to_hold_what_the_policy_states(
    held: dict[str, list[str]], stated: list[str], where: str
) -> None:
    policy = a_policy("web", {"repository_id": "456789"}, grants={"deploy-api": stated})
    policies = a_policy_set(policy, accounts=[an_account(grants=held)])

    first, second = fix(policies).splitlines()

    assert first == "available at deploy-api: none"
    assert where in second
    assert caller_fix(policies) == "available at deploy-api: none"


def test_a_policy_that_reaches_nothing_says_so() -> None:
    policies = a_policy_set(web_policy(), accounts=[an_account(grants={})])

    assert fix(policies, targets=()) == "service account deploy-web is granted no service"


def test_a_scope_that_exists_nowhere_is_answered_with_those_available() -> None:
    asked = ("deploy:write", "deploy:wright")

    assert fix(web_policy(), scopes=asked).splitlines() == [
        "available at deploy-api: deploy:read, deploy:write",
        "service deploy-api has no scope deploy:wright; did you mean deploy:write?",
    ]
    assert caller_fix(web_policy(), scopes=asked) == (
        "available at deploy-api: deploy:read, deploy:write"
    )


@pytest.mark.parametrize(
    ("policy_grants", "account_grants", "line"),
    [
        (
            None,
            ["deploy:read"],
            (
                "write `deploy-api: [deploy:read, deploy:write]` into `grants` of service account"
                " deploy-web"
            ),
        ),
        (
            ["deploy:read"],
            ["deploy:read", "deploy:write"],
            "write `deploy-api: [deploy:read, deploy:write]` into `grants` of policy web",
        ),
    ],
)
def test_a_scope_that_is_not_granted_is_granted_where_it_is_missing(
    policy_grants: list[str] | None, account_grants: list[str], line: str
) -> None:
    grants = None if policy_grants is None else {"deploy-api": policy_grants}
    policies = a_policy_set(
        a_policy("web", grants=grants), accounts=[an_account(grants={"deploy-api": account_grants})]
    )

    told = fix(policies, targets=(), scopes=("deploy:write",))

    assert told.splitlines() == ["available at deploy-api: deploy:read", line]


def test_several_accounts_are_listed_to_choose_from() -> None:
    policies = a_policy_set(
        a_policy("a"),
        a_policy("b", service_account="other"),
        accounts=[an_account(), an_account("other")],
    )

    expected = "several service accounts fit: name one of deploy-web, other in `client_id`"
    assert (fix(policies), caller_fix(policies)) == (expected, expected)


def test_a_disabled_account_can_be_switched_on() -> None:
    policies = a_policy_set(web_policy(), accounts=[an_account(enabled=False)])

    assert fix(policies) == (
        "service account deploy-web is switched off: it acts again with `enabled: true`"
    )


def test_a_missing_account_can_be_made() -> None:
    policies = a_policy_set(
        a_policy("web", service_account="gone", grants={"deploy-api": ["deploy:read"]})
    )

    assert fix(policies) == "there is no service account gone: create it, or name another one"


def test_a_caller_cannot_tell_a_missing_account_from_a_disabled_one() -> None:
    grants = {"deploy-api": ["deploy:read"]}
    gone = a_policy_set(a_policy("web", grants=grants), accounts=[])
    disabled = a_policy_set(a_policy("web", grants=grants), accounts=[an_account(enabled=False)])

    expected = "service account deploy-web is switched off or does not exist"
    assert (caller_fix(gone), caller_fix(disabled)) == (expected, expected)


def test_a_claim_that_cannot_name_an_instance_is_shown() -> None:
    policies = a_policy_set(web_policy(), accounts=[an_account(instances=("sha", "ref"))])

    assert fix(policies) == (
        "service account deploy-web has one instance for each `ref`, and it is refs/heads/main:"
        " only A-Z a-z 0-9 . _ - can be part of a `sub`"
    )


def test_a_persons_claim_that_cannot_name_an_instance_is_not_shown_to_a_caller() -> None:
    policies = a_policy_set(web_policy(), accounts=[an_account(instances=("actor",))])
    claims = github_claims(actor="some body")

    assert "it is some body" in fix(policies, claims)
    assert "it is not fit" in (caller_fix(policies, claims) or "")


def test_instances_that_make_the_sub_too_long_are_named() -> None:
    policies = a_policy_set(web_policy(), accounts=[an_account(instances=("sha", "workflow"))])

    assert fix(policies, github_claims(workflow="x" * 90)) == (
        "the `sub` of service account deploy-web with `sha`, `workflow` would be over 127 bytes"
    )


def test_another_account_than_the_one_asked_is_named() -> None:
    assert fix(web_policy(), client_id="other") == (
        "policy web-production is for service account deploy-web, not other: ask for that one in"
        " `client_id`"
    )


def test_what_else_is_missing_in_the_nearest_policy_is_said_too() -> None:
    policies = a_policy_set(web_policy(ref="x"), services=[a_service(), vault()])

    known = fix(policies, targets=("vault",))
    unknown = fix(policies, targets=("fault",))

    assert known.splitlines()[1] == (
        "policy web-production does not reach vault: write `vault` with some of vault:read,"
        " vault:write into `grants` of service account deploy-web"
    )
    assert unknown.splitlines()[1] == "policy web-production does not reach fault"
    assert (caller_fix(policies, targets=("vault",)) or "").splitlines()[1] == (
        "policy web-production does not reach vault"
    )


def test_a_policy_that_would_permit_but_only_observes_is_pointed_out() -> None:
    policies = a_policy_set(
        a_policy("watched", mode=Mode.OBSERVE), web_policy(ref="x"), a_policy("a", {"sub": "x"})
    )

    expected = "policy watched would permit this with `mode: enforce`"
    assert (fix(policies), caller_fix(policies)) == (expected, expected)


@pytest.mark.parametrize(
    ("others", "asked", "told"),
    [
        ([a_deny_policy("no")], {}, "denied_by_policy"),
        ([], {"scopes": ("deploy:all",)}, "scope_not_allowed"),
    ],
)
def test_what_an_observed_policy_would_not_permit_either_is_not_promised(
    others: list[Policy], asked: dict[str, Any], told: str
) -> None:
    policies = a_policy_set(a_policy("watched", mode=Mode.OBSERVE), *others)

    expected = f"policy watched would count with `mode: enforce`, and then this is {told}"
    assert (fix(policies, **asked), caller_fix(policies, **asked)) == (expected, expected)


def test_a_policy_that_would_permit_is_found_behind_one_that_would_not() -> None:
    off = an_account("off", enabled=False)
    policies = a_policy_set(
        a_policy("a-watched", service_account="off", mode=Mode.OBSERVE),
        a_policy("b-watched", mode=Mode.OBSERVE),
        accounts=[an_account(), off],
    )

    assert fix(policies) == "policy b-watched would permit this with `mode: enforce`"


def test_a_deny_policy_that_is_observed_takes_no_hint_away() -> None:
    """Nobody learns by what is missing that somebody observes something."""
    watched = a_policy("watched", mode=Mode.OBSERVE)
    policies = a_policy_set(watched, a_deny_policy("seen-deny", mode=Mode.OBSERVE))

    assert caller_fix(policies) == caller_fix(a_policy_set(watched))


def test_the_hint_takes_claims_without_an_end_for_those_of_a_new_token() -> None:
    watched = a_policy("watched", {"project_id": "20"}, issuer="gitlab", mode=Mode.OBSERVE)
    reusable = an_issuer("gitlab", replay=Replay.REUSABLE)
    policies = a_policy_set(watched, issuers=[reusable])
    claims = gitlab_claims(exp=..., project_id="20")

    assert "would permit" in (explained(policies, claims, issuer="gitlab").fix or "")


def test_a_policy_that_observes_and_does_not_hold_is_no_help() -> None:
    watched = a_policy("a-watched", {"repository_id": "456789", "ref": "x"}, mode=Mode.OBSERVE)
    policies = a_policy_set(watched, web_policy(ref="x", sha="y"))

    assert "watched" not in fix(policies)


def test_an_owner_who_may_not_see_the_policy_is_told_nothing_of_it() -> None:
    """The policy has no tenant conditions of its own, though it holds."""
    policies = a_policy_set(a_policy("open", {"event_name": "push"}))

    assert caller_fix(policies, targets=("x",)) is None
    assert caller_fix(policies, scopes=("x",)) is None
    disabled = a_policy_set(
        a_policy("open", {"event_name": "push"}), accounts=[an_account(enabled=False)]
    )
    assert caller_fix(disabled) is None
    instances = a_policy_set(
        a_policy("open", {"event_name": "push"}), accounts=[an_account(instances=("ref",))]
    )
    assert caller_fix(instances) is None
