"""What a job can get, as the ordinary decision has it."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.access.of_job import JobAccess, access_of_job, render_job
from broker.core.decision import Permit
from broker.core.indexed_policies import IndexedPolicies
from broker.core.policy import PolicySet
from tests.core import crowds
from tests.core.builders import (
    NOW,
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    an_issuer,
    github_claims,
    gitlab_claims,
    the_decision,
)

READER = a_policy("reader", service_account="reader")
WRITER = a_policy("writer", service_account="writer")
TWO = [
    an_account("reader", {"deploy-api": ["deploy:read"]}),
    an_account("writer", {"deploy-api": ["deploy:write"]}),
]


def of_job(policy_set: PolicySet, issuer: str = "github", **changes: Any) -> tuple[JobAccess, ...]:
    made = github_claims if issuer == "github" else gitlab_claims
    claims = made(**changes)
    trusted = policy_set.issuers[issuer]
    return access_of_job(claims, trusted, IndexedPolicies.of(policy_set), NOW)


def test_a_job_gets_what_its_policies_give() -> None:
    (found,) = of_job(a_policy_set(a_policy()))

    assert found.as_json() == {
        "service": "deploy-api",
        "service_account": "deploy-web",
        "decision": "permit",
        "reason": None,
        "policies": ["web"],
        "sub": "deploy-web",
        "scopes": ["deploy:read", "deploy:write"],
        "ttl": 600,
        "must_name_account": False,
    }
    assert list(render_job((found,))) == [
        "deploy-api  deploy:read deploy:write  as deploy-web, by web"
    ]


def test_of_several_accounts_one_has_to_be_named() -> None:
    found = of_job(a_policy_set(READER, WRITER, accounts=TWO))

    assert [(each.service_account, each.must_name_account) for each in found] == [
        ("reader", True),
        ("writer", True),
    ]
    assert [line.endswith("; the account has to be named") for line in render_job(found)] == [
        True,
        True,
    ]


def test_what_is_refused_says_why() -> None:
    denied = of_job(a_policy_set(a_policy(), a_deny_policy("no-main", {"ref": "refs/heads/main"})))
    off = of_job(a_policy_set(a_policy(), accounts=[an_account(enabled=False)]))
    required = an_issuer(require=a_policy("x", {"runner_environment": "own"}).conditions)
    short = of_job(a_policy_set(a_policy(), issuers=[required]))

    assert denied[0].as_json()["reason"] == "denied_by_policy"
    assert list(render_job(denied)) == [
        "deploy-api  refused  as deploy-web: denied_by_policy (no-main)"
    ]
    assert off[0].as_json()["decision"] == "deny"
    assert list(render_job(short)) == ["deploy-api  refused  as deploy-web: no_policy_matched"]


def test_a_token_without_scopes_is_told_so() -> None:
    plain = a_policy_set(
        a_policy(),
        services=[a_service(scopes={})],
        accounts=[an_account(grants={"deploy-api": []})],
    )

    assert list(render_job(of_job(plain))) == ["deploy-api  (no scope)  as deploy-web, by web"]


def test_a_job_that_no_policy_knows_gets_nothing() -> None:
    nothing = of_job(a_policy_set(a_policy()), repository="acme/other")

    assert list(render_job(nothing)) == ["nothing: no policy holds for these claims"]


def test_claims_without_expiry_are_those_of_a_token_just_made() -> None:
    policy = a_policy(issuer="gitlab", match={"project_id": "4242"})
    (found,) = of_job(a_policy_set(policy), "gitlab", exp=...)

    assert isinstance(found.decision, Permit)


@settings(max_examples=40, deadline=None)
@given(
    policies=st.lists(
        st.sampled_from(crowds.allow_policies(crowds.ACCOUNTS)),
        min_size=1,
        max_size=6,
        unique_by=id,
    ),
    claims=st.sampled_from(crowds.tokens()),
)
def test_nothing_else_is_permitted(policies: list[Any], claims: dict[str, Any]) -> None:
    grants = {name: ["deploy:read", "deploy:write"] for name in crowds.SERVICES}
    policy_set = a_policy_set(
        *policies,
        services=[a_service(name) for name in crowds.SERVICES],
        accounts=[an_account(name, grants) for name in crowds.ACCOUNTS],
    )
    index = IndexedPolicies.of(policy_set)
    found = access_of_job(claims, policy_set.issuers["github"], index, NOW)
    told = {(e.service, e.service_account) for e in found if isinstance(e.decision, Permit)}

    for service in crowds.SERVICES:
        for account in crowds.ACCOUNTS:
            alone = the_decision(policy_set, claims, targets=(service,), client_id=account)
            assert isinstance(alone, Permit) == ((service, account) in told)
