"""Which policies are judged among very many: those near the token, whatever the order of files."""

from typing import Any

import pytest

from broker.core.conditions import Condition, Equals
from broker.core.explain import for_caller
from broker.core.neighbours import MAX_OF_A_KIND
from broker.core.policy import Mode, Policy
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
)
from tests.core.explain_cases import IMMUTABLE_SUB, explained, glob, regex, web_policy


def far(issuer: str = "github", count: int = 150) -> list[Policy]:
    """Policies of other tenants, for another account and another service."""
    claim = {"github": "repository", "gitlab": "project_path"}.get(issuer, "organization_id")
    return [
        a_policy(
            f"far-{number:03}", {claim: f"far-{number}/x"}, issuer=issuer, service_account="far"
        )
        for number in range(count)
    ]


def judged(*near: Policy, **more: object) -> list[str]:
    """Which of some policies are judged beside those of other tenants."""
    accounts = [an_account(), an_account("far", {"vault": []})]
    policies = a_policy_set(
        *far(), *near, services=[a_service(), a_service("vault", scopes={})], accounts=accounts
    )
    asked = {"claims": github_claims(), "targets": (), **more}
    return [each.policy.name for each in explained(policies, **asked).ranking]  # type: ignore[arg-type]


def test_of_few_policies_all_are_judged() -> None:
    policies = far(count=MAX_OF_A_KIND)

    assert len(explained(policies).ranking) == MAX_OF_A_KIND


def test_of_many_policies_those_of_other_tenants_are_not_judged() -> None:
    assert judged() == []


@pytest.mark.parametrize(
    "match",
    [
        {"repository_id": "456789", "ref": "x"},
        {"repository": "ACME/Web", "repository_id": "1"},
        {"repository": ["x/y", "acme/web"], "ref": "x"},
        {"repository": [glob("x/*"), "acme/web"], "ref": "x"},
        {"repository": "acme/site"},
        {"repository": glob("acme/s*")},
        {"repository": [regex("x"), glob("acme/s*")], "repository_id": "1"},
        {"repository_owner": "acme", "repository": "x/y"},
        {"repository_owner_id": "123456", "ref": "x"},
        {"sub": "repo:acme/web:environment:production"},
        {"sub": IMMUTABLE_SUB},
        {"sub": "repo:acme@1/old@456789:ref:refs/heads/main"},
        {"sub": "repository_owner:acme:environment:x"},
    ],
)
def test_a_policy_of_the_tokens_tenant_or_owner_is_judged(match: dict[str, object]) -> None:
    assert judged(a_policy("near", match)) == ["near"]


@pytest.mark.parametrize(
    "match",
    [
        {"repository": "other/web"},
        {"repository": glob("acme*")},
        {"sub": "organization:acme"},
        {"sub": glob("repo:acme/web:*")},
        {"ref": "refs/heads/dev"},
    ],
)
def test_a_policy_that_names_no_tenant_of_the_token_is_not(match: dict[str, object]) -> None:
    assert judged(a_policy("far", match)) == []


def test_a_policy_that_holds_is_judged_wherever_it_is_filed() -> None:
    names = judged(
        a_policy("allow", {"repository": glob("*/web")}),
        a_deny_policy("deny", {"ref": glob("refs/heads/*")}),
    )

    assert set(names) == {"allow", "deny"}


def test_the_policies_of_the_account_asked_are_judged() -> None:
    policy = a_policy("near", {"repository": "x/y"})

    assert judged(policy, client_id="deploy-web") == ["near"]
    assert judged(policy, client_id="nobody") == []


def test_the_policies_of_the_last_account_are_judged() -> None:
    policy = a_policy("near", {"repository": "x/y"}, service_account="zz")

    assert judged(policy, client_id="zz") == ["near"]


def test_the_policies_that_grant_the_service_asked_are_judged() -> None:
    policy = a_policy("near", {"repository": "x/y"})

    assert judged(policy, targets=("https://deploy-api.example",)) == ["near"]
    assert judged(policy, targets=("unknown",)) == []
    assert judged(targets=("vault",)) == [f"far-{number:03}" for number in range(MAX_OF_A_KIND)]


def test_no_policy_is_judged_twice() -> None:
    policy = a_policy("near", {"repository": "acme/web", "repository_id": "456789"})

    names = judged(policy, targets=("deploy-api",), client_id="deploy-web")

    assert names == ["near"]


def test_of_very_many_policies_that_hold_the_first_by_name_are_judged() -> None:
    near = [a_policy(f"near-{number:03}") for number in range(130)]
    denying = [a_deny_policy(f"no-{number:03}", {"event_name": "push"}) for number in range(130)]

    allowed = judged(*near[::-1])
    denied = judged(*near[::-1], *denying[::-1], targets=("deploy-api",))

    assert allowed == [f"near-{number:03}" for number in range(MAX_OF_A_KIND)]
    assert denied[:MAX_OF_A_KIND] == [f"no-{number:03}" for number in range(MAX_OF_A_KIND)]
    assert denied[MAX_OF_A_KIND:] == allowed


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("asked", [{}, {"targets": ("deploy-api",)}, {"client_id": "deploy-web"}])
def test_however_many_are_observed_the_enforced_ones_are_judged_as_without_them(
    few: bool, asked: dict[str, Any]
) -> None:
    """Whoever observes a whole new set changes no answer by that."""
    enforced = [*([] if few else far()), web_policy(ref="x"), a_deny_policy("no", {"ref": "x"})]
    observed = [
        a_policy(f"a-{number:03}", {"repository": "acme/web", "ref": "y"}, mode=Mode.OBSERVE)
        for number in range(MAX_OF_A_KIND + 50)
    ]
    sets = (a_policy_set(*enforced), a_policy_set(*enforced, *observed))

    alone, beside = (explained(each, **{"targets": (), **asked}) for each in sets)

    assert beside.candidates == alone.candidates
    assert for_caller(beside) == for_caller(alone)
    assert "web-production" in {each.policy.name for each in alone.candidates}


def test_everything_is_everything() -> None:
    assert len(judged(everything=True)) == 150


def test_a_fork_of_a_gitlab_project_is_near_its_target() -> None:
    policies = [*far("gitlab"), a_policy("near", {"project_id": "4242"}, issuer="gitlab")]
    claims = gitlab_claims(project_id="901", job_project_id="4242", project_path="mallory/web")

    explanation = explained(policies, claims, issuer="gitlab", targets=())

    assert [each.policy.name for each in explanation.ranking] == ["near"]


def test_the_tenant_claims_of_an_issuer_without_preset_count() -> None:
    issuer = an_issuer("ci", tenant=("sub", "organization_id"))
    near = Policy("near", "ci", (Condition("organization_id", Equals("ACME-1")),))
    by_sub = Policy("sub", "ci", (Condition("sub", Equals("organization:acme:pipeline:web")),))
    policies = a_policy_set(*far("ci"), near, by_sub, issuers=[issuer])

    explanation = explained(policies, other_claims(), issuer="ci", targets=())

    assert {each.policy.name for each in explanation.ranking} == {"near", "sub"}


def test_the_order_of_very_many_files_does_not_matter() -> None:
    near = [
        a_policy(f"near-{number:03}", {"repository": "acme/web", "ref": "x"})
        for number in range(150)
    ]

    assert judged(*near) == judged(*near[::-1])


def test_a_service_account_that_no_file_has_grants_what_its_policies_say() -> None:
    policy = a_policy(
        "near", {"repository": "x/y"}, service_account="api-made", grants={"deploy-api": []}
    )

    assert judged(policy, targets=("deploy-api",)) == ["near"]
