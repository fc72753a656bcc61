"""The sentence for a refused caller: its own claims, what it asked for (contract §5, row 59)."""

from typing import Any

import pytest

from broker.core.decision import DecisionRequest, Deny
from broker.core.errors import Reason
from broker.core.policy import PolicySet
from broker.core.refusal_text import describe
from tests.core.builders import (
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    an_issuer,
    github_claims,
    gitlab_claims,
    other_claims,
    the_decision,
)


def text(
    policy_set: PolicySet,
    claims: dict[str, Any] | None = None,
    *,
    issuer: str = "github",
    **request: Any,
) -> str:
    wanted = {"targets": ("deploy-api",), **request}
    seen = github_claims() if claims is None else claims
    deny = the_decision(policy_set, seen, issuer=issuer, **wanted)
    assert isinstance(deny, Deny)
    return describe(deny, DecisionRequest(**wanted), seen, policy_set.issuers[issuer])


def test_a_github_job_is_told_its_own_claims() -> None:
    told = text(a_policy_set(), github_claims(environment="prod"))

    assert told == (
        "no trust policy of issuer 'github' permits this token: it has repository 'acme/web',"
        " event_name 'push', ref 'refs/heads/main', environment 'prod'; whoever runs the broker"
        " can look up the decision_id"
    )


def test_a_gitlab_job_is_told_its_own_claims() -> None:
    told = text(a_policy_set(), gitlab_claims(), issuer="gitlab")

    assert "project_path 'acme/platform/web', pipeline_source 'push', ref 'main'" in told


def test_a_job_of_another_platform_is_told_its_subject() -> None:
    policy_set = a_policy_set(issuers=[an_issuer("ci")])

    assert "it has sub 'organization:acme:pipeline:web';" in text(
        policy_set, other_claims(), issuer="ci"
    )


def test_a_long_claim_is_told_in_part() -> None:
    told = text(a_policy_set(), github_claims(ref="x" * 5000))

    assert f"ref '{'x' * 200}'," in told or f"ref '{'x' * 200}';" in told


def test_a_token_without_the_usual_claims_is_told_so() -> None:
    told = text(a_policy_set(), {"sub": "x"})

    assert "it has no claim that policies usually name" in told


def test_an_account_asked_for_is_named_again() -> None:
    told = text(a_policy_set(a_policy("web")), client_id="other")

    assert "permits this token for service account 'other':" in told


def test_a_visible_deny_is_told_without_its_name_and_a_hidden_one_is_not_told() -> None:
    deny = a_deny_policy("no-deploys-on-friday", {})
    visible = a_policy("web", {"repository": "acme/web"})
    hidden = a_policy("web", {"ref": "refs/heads/main"})

    assert text(a_policy_set(visible, deny)) == "a deny policy forbids it"
    assert "no trust policy" in text(a_policy_set(hidden, deny))


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"targets": ("x",)}, "'x' is not one service that the policies of this token grant"),
        (
            {"targets": ("deploy-api", "other")},
            "'deploy-api' 'other' is not one service that the policies of this token grant",
        ),
        (
            {"targets": ()},
            "name the service wanted in 'audience'; the policies do not leave exactly one",
        ),
        (
            {"scopes": ("deploy:admin", "deploy:read")},
            "scope 'deploy:admin' is not available to this token at this service",
        ),
    ],
)
def test_what_was_asked_for_is_named(request_: dict[str, Any], told: str) -> None:
    account = an_account(grants={"deploy-api": ["deploy:read"], "other": []})
    services = [a_service(), a_service("other", scopes={})]
    policy_set = a_policy_set(a_policy("web"), services=services, accounts=[account])

    assert text(policy_set, **request_) == told


def test_several_accounts_are_listed() -> None:
    accounts = [an_account("b"), an_account("a")]
    policies = [a_policy(each.client_id, service_account=each.client_id) for each in accounts]

    told = text(a_policy_set(*policies, accounts=accounts))

    assert told == "several service accounts fit; name one of 'a', 'b' in 'client_id'"


def test_a_disabled_account_and_a_missing_one_are_told_alike() -> None:
    policy = a_policy("web", grants={"deploy-api": ["deploy:read"]})

    disabled = text(a_policy_set(policy, accounts=[an_account(enabled=False)]))
    missing = text(a_policy_set(policy, accounts=[]))

    assert disabled == missing == "the service account is switched off or does not exist"


def test_an_instance_outside_its_grammar_is_told_the_grammar() -> None:
    account = an_account(instances=("environment",))

    assert "[A-Za-z0-9._-]{1,100}" in text(a_policy_set(a_policy("web"), accounts=[account]))


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence(reason: Reason) -> None:
    deny = Deny(reason, reason, ("p",), ("a",), "detail")

    assert describe(deny, DecisionRequest(), github_claims(), an_issuer("github"))
