"""What a caller may see of an explanation (contract §5; attacks rows 59, 172, 176)."""

import json
from typing import Any

import pytest

from broker.core.explain import Explanation, failing_conditions_for_caller, for_caller
from broker.core.explanation_text import render
from broker.core.personal_claims import is_personal
from broker.core.policy import Mode
from tests.core.builders import (
    a_deny_policy,
    a_policy,
    a_policy_set,
    an_account,
    an_issuer,
    github_claims,
    gitlab_claims,
    other_claims,
)
from tests.core.explain_cases import (
    caller_fix,
    explained,
    glob,
    no_preset_policy,
    requiring,
    web_policy,
)


def text_of(explanation: Explanation) -> str:
    return json.dumps(explanation.as_json())


def test_a_caller_sees_the_failing_conditions_of_a_policy_of_its_tenant() -> None:
    policy = web_policy(ref=glob("refs/heads/release/*"), workflow="deploy")

    caller = for_caller(explained(policy))

    (candidate,) = caller.as_json()["candidates"]
    assert candidate == {
        "policy": "web-production",
        "effect": "allow",
        "service_account": "deploy-web",
        "holds": False,
        "conditions": [
            {
                "claim": "ref",
                "operator": "glob",
                "expected": "refs/heads/release/*",
                "got": "refs/heads/main",
                "holds": False,
            }
        ],
    }
    assert caller.fix == (
        "add refs/heads/main to `ref` of policy web-production:"
        ' `ref: [{glob: "refs/heads/release/*"}, refs/heads/main]`'
    )


@pytest.mark.parametrize(
    "match",
    [
        {"repository": "acme/site"},
        {"repository": "acme/web", "repository_id": "1"},
        {"repository_owner": "acme", "repository": "acme/site", "ref": "secret"},
        {"event_name": "schedule", "ref": "secret"},
        {"sub": "repo:acme/web:ref:secret"},
        {"sub": glob("repo:acme/web:ref:secret*")},
    ],
)
def test_a_policy_whose_tenant_is_not_all_the_callers_stays_unseen(match: dict[str, Any]) -> None:
    caller = for_caller(explained(a_policy("secret", match)))

    assert caller.as_json() == {
        "decision": "deny",
        "reason": "no_policy_matched",
        "service_account": None,
        "sub": None,
        "audience": None,
        "scopes": None,
        "ttl": None,
        "candidates": [],
    }


def test_an_unseen_policy_takes_no_place_of_a_visible_one() -> None:
    unseen = [a_policy(f"open-{number:02}", {"event_name": "push"}) for number in range(25)]
    visible = web_policy(ref="x", sha="y")

    caller = for_caller(explained([*unseen, visible], targets=("vault",)))

    assert [each.policy.name for each in caller.candidates] == ["web-production"]


def test_a_caller_sees_at_most_twenty_policies_even_of_all() -> None:
    policies = [
        a_policy(f"p{number:02}", {"repository": "acme/web", "ref": "x"}) for number in range(30)
    ]

    assert len(for_caller(explained(policies, everything=True)).candidates) == 20


def test_a_tenant_that_the_issuer_requires_counts_for_what_is_seen() -> None:
    """Who takes over the name of a group learns nothing of the policies of its former owner."""
    issuer = an_issuer("gitlab", require=requiring(namespace_id="1"))
    policy = a_policy(
        "web", {"project_path": "acme/platform/web", "ref": "secret"}, issuer="gitlab"
    )
    policies = a_policy_set(policy, issuers=[issuer])

    former = for_caller(explained(policies, gitlab_claims(namespace_id="1"), issuer="gitlab"))
    taken_over = for_caller(explained(policies, gitlab_claims(), issuer="gitlab"))

    assert [each.policy.name for each in former.candidates] == ["web"]
    assert taken_over.candidates == ()
    assert taken_over.fix is None


def test_a_policy_without_tenant_conditions_of_its_own_stays_unseen() -> None:
    issuer = an_issuer("ci", require=requiring(organization_id="acme-1"))
    policies = no_preset_policy(match={"sub": "x"}, issuer=issuer)

    assert for_caller(explained(policies, other_claims(), issuer="ci")).candidates == ()


def test_deny_policies_stay_unseen() -> None:
    policies = a_policy_set(
        web_policy(),
        a_deny_policy("secret-deny", {"repository_id": "456789", "ref": "refs/heads/main"}),
    )

    operator = explained(policies)
    caller = for_caller(operator)

    assert operator.reason == caller.reason == "denied_by_policy"
    assert "secret-deny" in text_of(operator)
    assert "secret-deny" not in text_of(caller)


def test_denied_by_policy_is_said_only_where_a_visible_allow_held() -> None:
    policies = a_policy_set(
        a_policy("open", {"event_name": "push"}),
        web_policy(ref="x"),
        a_deny_policy("secret-deny", {"event_name": "push"}),
    )

    operator = explained(policies)
    caller = for_caller(operator)

    assert operator.reason == "denied_by_policy"
    assert caller.reason == "no_policy_matched"
    assert caller.fix == (
        "add refs/heads/main to `ref` of policy web-production: `ref: [x, refs/heads/main]`"
    )


def test_a_permit_shows_a_caller_what_it_gets() -> None:
    operator = explained(web_policy())

    members = for_caller(operator).as_json()

    (candidate,) = members.pop("candidates")
    assert candidate["conditions"] == []
    assert candidate["holds"] is True
    everything = operator.as_json()
    del everything["candidates"]
    assert members == everything


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("actor", "octocat"),
        ("actor_id", "583231"),
        ("user_email", "someone@example.com"),
        ("user_login", "someone"),
        ("contact", "someone@example.com"),
        ("reviewers", ["someone@example.com"]),
    ],
)
def test_claims_that_tell_of_a_person_are_never_repeated(claim: str, value: object) -> None:
    policy = web_policy(**{claim: "other@example.com"}, ref="x")

    explanation = explained(policy, github_claims(**{claim: value}))

    text = text_of(for_caller(explanation))
    for told in ("octocat", "583231", "someone", "other@example.com", claim):
        assert told not in text
    assert claim in text_of(explanation)
    assert caller_fix(policy, github_claims(**{claim: value})) == (
        "add refs/heads/main to `ref` of policy web-production: `ref: [x, refs/heads/main]`\n"
        "policy web-production also asks who started the job, which is not shown here: whoever runs"
        " the broker can see it"
    )


def test_a_person_in_the_way_is_hinted_at_even_where_nothing_else_is() -> None:
    (candidate,) = for_caller(explained(web_policy(actor="x"))).candidates

    assert (candidate.conditions, candidate.withheld) == ((), True)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("ref", "refs/heads/user/actor"),
        ("job_workflow_ref", "acme/web/.github/workflows/deploy.yml@refs/heads/main"),
        ("job_workflow_ref", "acme/web/deploy.yml@v1.2"),
        ("sub", "repo:acme@1/web@2:ref:refs/heads/user/x"),
        ("sub", "repo:user/actor:ref:refs/heads/main"),
        ("/kubernetes.io/serviceaccount/name", "web"),
        ("runner_id", 7),
        ("x", "@example.com"),
        ("x", "a@b"),
        ("x", None),
    ],
)
def test_other_claims_are_the_jobs_own(claim: str, value: object) -> None:
    assert not is_personal(claim, value)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("name", "Someone"),
        ("/account/user_name", "x"),
        ("/account/e-mail", "x"),
        ("Email", None),
        ("sub", "repo:acme/web:actor:octocat"),
        ("sub", "actor_id:583231:repo:acme/web"),
        ("sub", "org/0c1/project/0c2/user/0c3"),
        ("sub", "someone@example.com"),
    ],
)
def test_a_person_is_recognised_by_name_and_by_value(claim: str, value: object) -> None:
    assert is_personal(claim, value)


def test_the_conditions_of_an_error_body_are_those_of_the_nearest_visible_policy() -> None:
    policies = [
        web_policy(ref="x"),
        a_policy("z-far", {"repository": "acme/web", "ref": "x", "sha": "y"}),
    ]

    assert failing_conditions_for_caller(explained(policies)) == [
        {
            "claim": "ref",
            "operator": "equals",
            "expected": "x",
            "got": "refs/heads/main",
            "holds": False,
        }
    ]


def test_an_error_body_has_no_conditions_where_no_policy_is_visible() -> None:
    assert (
        failing_conditions_for_caller(explained(a_policy("p", {"repository": "acme/site"}))) == []
    )


def test_doing_it_twice_changes_nothing() -> None:
    once = for_caller(explained(web_policy(actor="x", ref="x")))

    twice = for_caller(once)

    assert twice == once
    assert failing_conditions_for_caller(once) == failing_conditions_for_caller(twice)


def test_the_accounts_to_choose_from_are_named_to_a_caller() -> None:
    policies = a_policy_set(
        a_policy("a", {"event_name": "push"}),
        a_policy("b", {"event_name": "push"}, service_account="other"),
        accounts=[an_account(), an_account("other")],
    )

    caller = for_caller(explained(policies))

    assert caller.reason == "ambiguous_account"
    assert (
        caller.fix == "several service accounts fit: name one of deploy-web, other in `client_id`"
    )


def test_an_operator_is_told_of_observed_policies_and_a_caller_is_not() -> None:
    policies = a_policy_set(
        web_policy(ref="x"), a_policy("seen", {"repository": "acme/web"}, mode=Mode.OBSERVE)
    )
    explanation = explained(policies)
    operator, caller = (
        (each.as_json(), render(each)) for each in (explanation, for_caller(explanation))
    )

    assert operator[0]["observed"] == ["seen"]
    assert operator[0]["would"]["kind"] == "would_permit"
    assert "\nobserved: it would be permitted by seen, were it enforced: deploy-web" in operator[1]
    assert caller[0].keys().isdisjoint({"observed", "would"})
    assert "observed" not in caller[1]
